"""Prove against the official charts that our values mean something there: `make charts-check CHARTS=<directory>`.

For every Release of every stack: each value that the program sets exists in the official chart (without it the chart
renders something else; or it is the chart's default, and another value renders something else), and the sandbox's
stand-in renders the same objects, in all that an API server and a kubelet act on: `development/stand_in_diff.py` has
what is meant to differ, and an exception that excuses nothing is a problem itself.

Exit statuses: 0 both hold, 1 something does not, 2 it could not be checked, 130 interrupted.
"""

import argparse
import copy
import functools
import json
import operator
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from components.foundation.chart_pins import PINS, archive
from components.foundation.helm_records import RELEASE_TYPE
from development.stand_in_diff import MEANT, Difference, Meant, differences
from development.workload_rules import broken
from operations.helm import HelmError, helm, template
from operations.manifest_diff import Manifests, read
from operations.offline_run import configuration, run
from sandbox.build import BuildError, ensure
from sandbox.program_pins import HELM
from sandbox.progress import Progress
from sandbox.stand_ins import STAND_INS

ROOT = Path(__file__).parent.parent
STACKS = ("local", "kind", "staging", "prod")


class CheckError(Exception):
    """The check cannot be made; the message says why, and what to do."""


@dataclass(frozen=True)
class Release:
    """A Helm Release of a stack, with the values that the program sets."""

    stack: str = field(compare=False)
    name: str
    chart: str
    namespace: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """Something in a Release that does not hold against its official chart."""

    stack: str
    release: str
    text: str


def check(releases: Sequence[Release], charts: Path, exceptions: Sequence[Meant]) -> list[Problem]:
    """Check the Releases against the official charts in `charts`, with a line of progress for each.

    Args:
        releases: all for which there are exceptions, for one that excuses nothing is a problem.
        charts: the directory with the archives.
        exceptions: what may differ in a stand-in.

    Raises:
        CheckError: a chart is not the official one at the pinned version.
    """
    _must_be_official(charts)
    progress = Progress(len(releases))
    problems: list[Problem] = []
    excused: set[Meant] = set()
    for release in releases:
        progress.start(f"{release.name} ({release.stack})")
        try:
            found, result, differing = _check_one(release, archive(str(charts), release.chart), exceptions)
        except HelmError as error:
            found, result, differing = [str(error)], "failed", []
        excused |= {one for one in exceptions if any(one.covers(difference) for difference in differing)}
        problems += [Problem(release.stack, release.name, text) for text in found]
        progress.end(result)
    return [*problems, *(_stale(one) for one in exceptions if one not in excused)]


def _check_one(
    release: Release, chart: Path, exceptions: Sequence[Meant]
) -> tuple[list[str], str, Sequence[Difference]]:
    """Return what does not hold for one Release, a summary, and all in which the stand-in differs, meant or not."""
    ignored = ignored_values(release, chart)
    found = [f"the official chart ignores {'.'.join(path)}: {_at(release.values, path)!r}" for path in ignored]
    total = len(list(_leaves(release.values)))
    summary = f"{total - len(ignored)} of {total} values matter"
    stand_in = STAND_INS / release.chart
    if not stand_in.is_dir():
        return found, summary, []
    official = objects_of(release, chart)
    try:
        differing = differences(official, objects_of(release, stand_in))
    except HelmError as error:
        return [*found, f"the stand-in: {error}"], f"{summary}; the stand-in refuses some", []
    wrong = [one for one in differing if not any(exception.covers(one) for exception in exceptions)]
    summary += f", {len(official)} objects with {len(wrong)} differences in the stand-in"
    return [*found, *map(str, wrong)], summary, differing


def _stale(exception: Meant) -> Problem:
    text = f"excuses nothing: {exception.field} of {exception.object} ({exception.reason}). Take it away"
    return Problem("every stack", "an exception in development/stand_in_diff.py", text)


def objects_of(release: Release, chart: Path) -> Manifests:
    """Return the objects that a chart makes for a Release.

    Args:
        release: with its values.
        chart: the archive or the folder.

    Raises:
        HelmError: the chart refuses the values.
    """
    return read(_render(release, chart, release.values))


def rendered(releases: Sequence[Release], charts: Path) -> Iterator[tuple[Release, Manifests]]:
    """Yield each Release with all objects that its chart makes: here other checks take the official ones from.

    Args:
        releases: as `releases_of` returns them.
        charts: the directory with the archives, official ones or those that `sandbox.stand_ins.pack` has put there.

    Raises:
        HelmError: a chart refuses the values.
    """
    for release in releases:
        yield release, objects_of(release, archive(str(charts), release.chart))


def releases_of(stacks: Sequence[str]) -> list[Release]:
    """Return the Releases that the program registers for the stacks; one that several stacks share, once."""
    return registered(stacks)[0]


def registered(stacks: Sequence[str]) -> tuple[list[Release], list[dict[str, Any]]]:
    """Return the Releases of the stacks, one that several share, once, and the objects that are no Release's."""
    releases: list[Release] = []
    objects: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as empty:
        charts = {str(archive(empty, chart)): chart for chart in PINS}
        for stack in stacks:
            ran = run(ROOT, stack, configuration(ROOT, stack), Path(empty))
            objects += [
                one.inputs for one in ran.resources if one.type.startswith("kubernetes:") and "kind" in one.inputs
            ]
            resources = ran.of_type(RELEASE_TYPE)
            for inputs in sorted((resource.inputs for resource in resources), key=lambda one: str(one["name"])):
                release = Release(
                    stack, inputs["name"], charts[inputs["chart"]], inputs["namespace"], inputs.get("values", {})
                )
                if release not in releases:
                    releases.append(release)
    return releases, objects


def broken_rules(releases: Sequence[Release], objects: Sequence[dict[str, Any]], charts: Path) -> list[Problem]:
    """Return where the official charts' objects and ours break a rule over pods and rights.

    Args:
        releases: of all stacks.
        objects: those of all stacks that are no Release's.
        charts: the directory with the official archives.

    Raises:
        HelmError: a chart refuses the values.
    """
    made = [one for _, manifests in rendered(releases, charts) for one in manifests.values()]
    return [
        Problem("every stack", one.object, f"{one.rule}: {one.wrong}. {one.mend}") for one in broken([*made, *objects])
    ]


def _must_be_official(charts: Path) -> None:
    missing = [file.name for file in (archive(str(charts), chart) for chart in PINS) if not file.is_file()]
    if missing:
        raise CheckError(f"chart archives are missing in {charts}: {', '.join(missing)}. Run: make charts")
    for chart, pin in PINS.items():
        version = yaml.safe_load(helm("show", "chart", str(archive(str(charts), chart))))["version"]
        if version != pin.version:
            raise CheckError(f"{archive(str(charts), chart)} is version {version}, and {pin.version} is pinned")


def _leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of each value that is no mapping; a list is one value."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)


def ignored_values(release: Release, chart: Path) -> list[tuple[str, ...]]:
    """Return the paths of values that change nothing in what `chart` renders, be they absent or others.

    Raises:
        HelmError: the chart refuses the values, or renders them differently each time.
    """
    leaves = list(_leaves(release.values))
    rendered = _render(release, chart, release.values)
    if rendered != _render(release, chart, release.values):
        raise HelmError("the official chart renders the same values differently each time")

    def changes(values: dict[str, Any]) -> bool:
        try:
            return _render(release, chart, values) != rendered
        except HelmError:
            return True  # the chart knows the value, for it refuses to do without it, or the other one

    def matters(path: tuple[str, ...]) -> bool:
        without, altered = copy.deepcopy(release.values), copy.deepcopy(release.values)
        value = _at(without, path[:-1]).pop(path[-1])
        _at(altered, path[:-1])[path[-1]] = _another(value)
        return changes(without) or changes(altered)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        return [path for path, does in zip(leaves, threads.map(matters, leaves), strict=True) if not does]


def _at(values: Any, path: Sequence[str]) -> Any:
    """Return what lies at a path."""
    return functools.reduce(operator.getitem, path, values)


def _another(value: Any) -> Any:
    """Return another value of the same type."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"another-{value}"
    return [] if value else ["another"]


def _render(release: Release, chart: Path, values: dict[str, Any]) -> str:
    """Return the manifests that a chart makes of the values, as `release` is called.

    Raises:
        HelmError: the chart refuses them.
    """
    return template(release.name, release.namespace, chart, values)


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="make charts-check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--charts", type=Path, default=Path(".charts"), help="the official ones (default: .charts)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    try:
        ensure([HELM])
        releases, objects = registered(STACKS)
        problems = check(releases, arguments.charts, MEANT)
        problems += broken_rules(releases, objects, arguments.charts)
    except (BuildError, CheckError, HelmError) as error:
        print(f"charts-check: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    if arguments.json:
        result = {"charts": str(arguments.charts), "releases": len(releases)}
        print(json.dumps({**result, "problems": [asdict(problem) for problem in problems]}, indent=2))
    else:
        for problem in problems:
            print(f"{problem.release} ({problem.stack}): {problem.text}")
        print(f"{len(releases)} Releases checked against {arguments.charts}: {len(problems)} problems.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
