"""The files that the sandbox takes out of the Go modules of its programs: charts, a CRD, kwok's stages.

They are kept in the cache because the modules are removed once everything is built. Elastic's charts are read there and
never committed: their licence forbids it.
"""

import gzip
import io
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from operations.cache import cache
from sandbox.program_pins import ECK_OPERATOR, JAEGER_OPERATOR, KWOK, Program


@dataclass(frozen=True)
class Artifact:
    """A file or folder of the cache made by `make(from, to)` from `source`, a path in the Go module `go_module`.

    It is needed wherever `program` is, and pinned by the go.mod of that program.
    """

    program: Program
    go_module: str
    source: str
    kept_as: str
    make: Callable[[Path, Path], object]

    @property
    def path(self) -> Path:
        """The path of the file once it is made."""
        return cache() / self.kept_as


def pack_chart(chart: Path, archive: Path) -> None:
    """Pack a chart's folder as `helm package` does, byte for byte the same on each machine."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file in sorted(chart.rglob("*")):
            inside = file.relative_to(chart)
            # The charts' .helmignore names these, and Helm would render them.
            if not file.is_file() or "templates/tests/" in inside.as_posix():
                continue
            entry = tarfile.TarInfo(f"{chart.name}/{inside.as_posix()}")
            entry.size = file.stat().st_size
            entry.mode = 0o644
            with file.open("rb") as content:
                tar.addfile(entry, content)
    with archive.open("wb") as target, gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as packed:
        packed.write(plain.getvalue())


def copy_stages(stages: Path, target: Path) -> None:
    """Copy kwok's built-in stages, which a configuration of one's own replaces: `<kind>-<what happens>.yaml` each."""
    target.mkdir()
    for folder in ("node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast"):
        for stage in (stages / folder).glob("*.yaml"):
            if stage.name not in ("kustomization.yaml", "storage-class.yaml"):
                shutil.copyfile(stage, target / stage.name)


def _elastic(name: str, version: str, source: str) -> Artifact:
    """Return one of Elastic's charts."""
    return Artifact(
        ECK_OPERATOR, "github.com/elastic/cloud-on-k8s/v3", source, f"charts/{name}-{version}.tgz", pack_chart
    )


CHARTS = (
    _elastic("eck-operator", "3.5.0", "deploy/eck-operator"),
    _elastic("eck-operator-crds", "3.5.0", "deploy/eck-operator/charts/eck-operator-crds"),
    *(
        _elastic(name, "0.20.0", f"deploy/eck-stack/charts/{name}")
        for name in ("eck-elasticsearch", "eck-kibana", "eck-logstash", "eck-beats")
    ),
)
JAEGER_CRD = Artifact(
    JAEGER_OPERATOR,
    "github.com/jaegertracing/jaeger-operator",
    "config/crd/bases/jaegertracing.io_jaegers.yaml",
    "crds/jaegertracing.io_jaegers.yaml",
    shutil.copyfile,
)
KWOK_STAGES = Artifact(KWOK, "sigs.k8s.io/kwok", "kustomize/stage", "kwok-stages", copy_stages)
ARTIFACTS = (*CHARTS, JAEGER_CRD, KWOK_STAGES)
