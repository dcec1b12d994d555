"""The images of Elasticsearch: the real server and X-Pack's security, from Maven Central.

The modules that Maven Central lacks are filled in as far as this program and Elastic's operator ask for them:
`elasticsearch/java/` says of each what it does and what not. The licence is the Elastic License 2.0, as the operator's,
so nothing of it is committed.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from operations.cache import cache
from sandbox.images import debian, java, libraries
from sandbox.images.oci import Image, Layer
from sandbox.processes import SandboxError

FOLDER = Path(__file__).with_suffix("")
HOME = "/usr/share/elasticsearch"
USER = 1000
# What the scripts of Elastic's operator call, and what whoever looks into a pod does.
PROGRAMS = ["bash", "cat", "chown", "cp", "curl", "cut", "date", "df", "env", "grep", "head", "id", "ln", "ls", "mkdir"]
PROGRAMS += ["mktemp", "rm", "sleep", "tail", "tee", "timeout", "tr", "yes"]
# Process 1, and what compresses an index of the codec best_compression.
PACKAGES = ["tini", "libzstd1"]
MODULES = ["java.se", "jdk.management", "jdk.net", "jdk.unsupported", "jdk.zipfs"]
# The operator asks for this very line before it lets a node start.
LICENSE = "Elastic License 2.0\n"


@dataclass(frozen=True)
class Release:
    """A release: its major version names the folder of what is its own."""

    major: int

    @property
    def pom(self) -> Path:
        """The file that pins its jars."""
        return FOLDER / str(self.major) / "pom.xml"

    @property
    def sources(self) -> list[Path]:
        """The folders of the classes that fill the gaps: what the releases have in common, and its own."""
        return [FOLDER / "java", FOLDER / str(self.major) / "java"]

    @property
    def version(self) -> str:
        """The version, as its pom.xml pins it."""
        return self.pom.read_text().partition("<elasticsearch.version>")[2].partition("<")[0]

    def image(self) -> Image:
        """Return the image, under the name of the official one and with its contract."""
        files = sorted(file for file in FOLDER.rglob("*") if file.is_file())
        return Image(
            names=(f"docker.elastic.co/elasticsearch/elasticsearch:{self.version}",),
            content=tuple(file.read_text() for file in files),
            fill=self.fill,
            user=f"{USER}:0",
            workdir=HOME,
            entrypoint=("/bin/tini", "--", "/usr/local/bin/docker-entrypoint.sh"),
            command=("eswrapper",),
            environment={"PATH": f"{HOME}/bin:/usr/local/bin:/usr/bin:/bin"},
        )

    def fill(self, layer: Layer) -> None:
        """Fetch, compile and add everything.

        Raises:
            SandboxError: a program is not on this machine, or cannot make its part.

        """
        programs = {f"/usr/bin/{name}": _of_this_machine(name) for name in PROGRAMS}
        jars = java.jars(f"elasticsearch-{self.major}", self.pom)
        runtime = java.runtime(MODULES)
        with tempfile.TemporaryDirectory(dir=cache()) as work:
            classes, packages = Path(work, "classes"), Path(work, "packages")
            java.compiled(self.sources, jars, classes)
            debian.unpack(PACKAGES, packages)
            programs["/usr/bin/tini"] = packages / "usr/bin/tini"
            _add_system(layer, programs, runtime)
            _add_home(layer, jars, classes, runtime)
            (zstd,) = packages.glob("usr/lib/*/libzstd.so.1")
            layer.file(f"{HOME}/lib/platform/libzstd.so", zstd, 0o644, USER)


def images() -> list[Image]:
    """Return the images: of the logs' cluster, and of the traces', which Jaeger writes to."""
    return [Release(major).image() for major in (9, 8)]


def _of_this_machine(name: str) -> Path:
    found = shutil.which(name, path="/usr/bin:/bin")
    if found is None:
        raise SandboxError(
            f"{name}, which goes into the image of Elasticsearch, is not in /usr/bin: apt-get install {name}"
        )
    return Path(found)


def _add_system(layer: Layer, programs: dict[str, Path], runtime: Path) -> None:
    """Add the programs, and the libraries that these and Java load."""
    layer.system(elasticsearch=USER)
    layer.link("/bin", "usr/bin")
    layer.link("/usr/bin/sh", "bash")
    layer.text("/usr/bin/nc", (FOLDER / "nc.sh").read_text(), 0o755)
    layer.text("/usr/local/bin/docker-entrypoint.sh", (FOLDER / "docker-entrypoint.sh").read_text(), 0o755)
    of_java = {str(file): file for file in (runtime / "bin" / "java", runtime / "lib" / "server" / "libjvm.so")}
    needed = libraries.with_libraries({**programs, **of_java})
    libraries.add(layer, {path: file for path, file in needed.items() if not file.is_relative_to(runtime)})


def _add_home(layer: Layer, jars: Path, classes: Path, runtime: Path) -> None:
    """Add the folder of Elasticsearch; its group may do what its owner may, as in the official image."""
    for folder in ("", "/config", "/data", "/logs", "/plugins"):
        layer.folder(f"{HOME}{folder}", 0o775, USER)
    layer.text(f"{HOME}/LICENSE.txt", LICENSE, uid=USER)
    layer.text(f"{HOME}/bin/elasticsearch", (FOLDER / "elasticsearch.sh").read_text(), 0o775, USER)
    layer.text(f"{HOME}/config/log4j2.properties", (FOLDER / "log4j2.properties").read_text(), 0o664, USER)
    layer.tree(f"{HOME}/lib", jars, USER, group_as_owner=True)
    layer.tree(f"{HOME}/lib/classes", classes, USER, group_as_owner=True)
    layer.tree(f"{HOME}/jdk", runtime, USER, group_as_owner=True)
