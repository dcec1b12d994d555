"""A preview from its beginning to its exit status: against what is deployed, or between two programs."""

import sys
from pathlib import Path

from components.foundation.helm_records import RELEASE_TYPE
from operations.preview import base, plan, report
from operations.preview.releases import Renderer
from operations.preview.steps import PreviewError, Step, paired

FAILED = 1


def deployed(stack: str, environment: dict[str, str], root: Path, as_json: bool) -> int:
    """Show what an update changes in what is deployed, and return the exit status.

    Args:
        stack: the stack's name.
        environment: of `pulumi`: it names the backend, the passphrase, the kubeconfig.
        root: the project's folder.
        as_json: whether for programs: then all that is for people goes to the standard error.
    """
    try:
        steps, context = plan.plan(stack, environment, root, quiet=as_json)
        renderer = Renderer(root, "Run: make charts", context, environment)
        return _show(stack, "what is deployed", steps, renderer, as_json, with_others=False)
    except PreviewError as error:
        return _failed(error)


def between(stack: str, ref: str, charts: Path, root: Path, as_json: bool) -> int:
    """Show what changes from the program of a git ref to this one, and return the exit status.

    Args:
        stack: the stack's name.
        ref: of git.
        charts: where the chart archives lie.
        root: the project's folder.
        as_json: whether for programs.
    """
    try:
        print(f"Running the program of {ref} and of this checkout …", file=sys.stderr, flush=True)
        steps = base.compare(stack, ref, root, charts)
        hint = f"Run: make charts. The archives of {ref}: run it in a checkout of {ref}, and copy its .charts here"
        return _show(stack, ref, steps, Renderer(root, hint), as_json, with_others=True)
    except PreviewError as error:
        return _failed(error)


def _show(stack: str, against: str, steps: list[Step], renderer: Renderer, as_json: bool, with_others: bool) -> int:
    steps = paired(steps)
    if releases := [step.object for step in steps if step.type == RELEASE_TYPE]:
        print(f"Rendering {', '.join(releases)} …", file=sys.stderr, flush=True)
    # Without a cluster the program has not compared the volumes with those that are there.
    found = report.preview(stack, against, steps, renderer, claims_fit=bool(renderer.context))
    # A paragraph of its own, as the comment on a pull request takes the last one for the summary.
    lines = [report.as_json(found)] if as_json else ["", *report.details(found, with_others), *report.summary(found)]
    print("\n".join(lines), flush=True)
    return found.status


def _failed(error: PreviewError) -> int:
    print(f"preview: {error}", file=sys.stderr)
    return FAILED
