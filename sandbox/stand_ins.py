"""The sandbox's own set of charts: stand-ins for four official ones, and Elastic's real ones."""

import filecmp
import shutil
import tempfile
from pathlib import Path

from components.foundation.chart_pins import PINS, archive
from sandbox.artifacts import CHARTS, JAEGER_CRD, pack_chart
from sandbox.build import BuildError

STAND_INS = Path(__file__).parent / "charts"


def pack(target: Path) -> None:
    """Fill `target` with an archive of every pinned chart, and leave those that are right as they are.

    Args:
        target: a directory, made if it is not there.

    Raises:
        BuildError: the cache lacks something that comes with the operators.
    """
    missing = [str(artifact.path) for artifact in (*CHARTS, JAEGER_CRD) if not artifact.path.exists()]
    if missing:
        raise BuildError(f"the cache lacks {', '.join(missing)}. Run: python -m sandbox.build cluster")
    target.mkdir(parents=True, exist_ok=True)
    elastic = {artifact.path.name: artifact.path for artifact in CHARTS}
    with tempfile.TemporaryDirectory(dir=target) as temporary:
        for chart in PINS:
            destination = archive(str(target), chart)
            packed = Path(temporary) / destination.name
            if destination.name in elastic:
                shutil.copyfile(elastic[destination.name], packed)
            else:
                pack_chart(_complete(chart, Path(temporary)), packed)
            if not (destination.exists() and filecmp.cmp(packed, destination, shallow=False)):
                packed.replace(destination)


def _complete(chart: str, temporary: Path) -> Path:
    """Return the folder of a stand-in with what is not committed."""
    folder = STAND_INS / chart
    if chart != "jaeger-operator":
        return folder
    copy = Path(shutil.copytree(folder, temporary / chart))
    (copy / "crds").mkdir()
    shutil.copyfile(JAEGER_CRD.path, copy / "crds" / JAEGER_CRD.path.name)
    return copy
