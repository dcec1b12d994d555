"""The objects that Helm Releases render before and after, by Helm's own engine."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.helm import HelmError, helm, template
from operations.manifest_diff import read
from operations.preview.objects import Change, changed
from operations.preview.steps import PreviewError, Step, object_name

Manifests = dict[str, dict[str, Any]]
Render = Callable[[Mapping[str, Any], bool], Manifests]


@dataclass(frozen=True)
class Renderer:
    """Helm with the chart archives of a project, and the cluster where a chart is deployed whose archive is gone.

    Args:
        root: the project's folder: paths of archives are relative to it.
        hint: how the missing archives are had.
        context: of the cluster in the kubeconfig; empty where no cluster is asked.
        environment: with the kubeconfig.
    """

    root: Path
    hint: str
    context: str = ""
    environment: Mapping[str, str] | None = None

    def __call__(self, inputs: Mapping[str, Any], is_deployed: bool) -> Manifests:
        """Return the objects of a Release by kind, namespace and name, without the hooks.

        Raises:
            PreviewError: the archive is missing.
            HelmError: the chart refuses the values.
        """
        name, namespace, chart = str(inputs["name"]), str(inputs["namespace"]), Path(str(inputs["chart"]))
        if (self.root / chart).exists():
            text = template(name, namespace, chart, inputs.get("values") or {}, "--no-hooks", root=self.root)
        elif is_deployed and self.context:
            where = ["--namespace", namespace, "--kube-context", self.context]
            text = helm("get", "manifest", name, *where, environment=self.environment)
        else:
            raise PreviewError(f"the archive of chart {chart.name} is missing in {chart.parent}. {self.hint}")
        return {object_name(manifest): manifest for manifest in read(text).values()}


def changes(step: Step, render: Render, claims_fit: bool) -> Iterator[Change]:
    """Yield what happens to each object of a Release whose chart or values change.

    Args:
        step: of the Release.
        render: makes its objects.
        claims_fit: whether size and class of volumes are known to be possible.

    Raises:
        PreviewError: an archive is missing, or its chart refuses the values.
    """
    release, namespace = step.object, str(step.inputs["namespace"])
    try:
        old = render(step.old, True) if step.old else {}
        new = render(step.new, False) if step.new else {}
    except HelmError as error:
        if step.op == "create":
            # The engine leaves out what only the update knows, such as an address, and some charts ask for it.
            why = " ".join(str(error).split())
            yield Change("added", f"objects that are known after the update: {why}", release)
            return
        raise PreviewError(f"{release} cannot be rendered: {error}") from error
    for name in sorted({*old, *new}):
        if name not in new:
            yield Change("removed", name, release)
        elif name not in old:
            yield Change("added", name, release)
        elif change := changed(name, old[name], new[name], release, namespace, claims_fit=claims_fit):
            yield change


def headline(step: Step) -> str:
    """Return what happens to a Release as a whole, in a line."""
    charts = [Path(str(one["chart"])).name.removesuffix(".tgz") for one in (step.old, step.new) if one]
    what = " -> ".join(dict.fromkeys(charts))
    words = {"create": "is installed", "delete": "is uninstalled", "replace": "is replaced", "move": "is made anew"}
    return f"{step.object}, chart {what}" + (f": {words[step.op]}" if step.op in words else "")
