"""The images of what cannot be had: Grafana with its sidecar, Kibana, Logstash and Filebeat stand in for themselves.

User, folder of work, entrypoint and command are those of the official images, in the versions that the charts and the
settings ask for. What runs inside is in `stand_ins/` and `sandbox/programs/stand-ins/`, where each says what it does
and what not.
"""

import re
import tempfile
from pathlib import Path

import yaml

from components.settings.logs import LogsSettings
from operations.cache import cache
from sandbox.images import debian, libraries, python
from sandbox.images.oci import NOBODY, Image, Layer
from sandbox.program_pins import FILEBEAT, LOGSTASH, Program
from sandbox.stand_ins import STAND_INS

PROGRAMS = Path(__file__).parent / "stand_ins"
GRAFANA_CHART = STAND_INS / "grafana"
GRAFANA_USER, ELASTIC_USER = 472, 1000
# Beside bash, what the init containers of Elastic's operator call, and whoever looks into a pod.
COMMANDS = ("cat", "cp", "date", "env", "id", "ls", "ln", "mkdir", "rm", "sh", "sleep", "touch", "yes")
GRAFANA_FOLDERS = {
    "CONFIG": "/etc/grafana/grafana.ini",
    "DATA": "/var/lib/grafana",
    "HOME": "/usr/share/grafana",
    "LOGS": "/var/log/grafana",
    "PLUGINS": "/var/lib/grafana/plugins",
    "PROVISIONING": "/etc/grafana/provisioning",
}
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where the package of the stand-ins and PyYAML lie in an image.
_PACKAGES = "/opt/stand-ins"
_PYTHON = f"PYTHONPATH={_PACKAGES} exec python3 -B -u -m stand_ins"
# As the official one, it tells of each folder that it cannot use, and ends where it cannot make that of the plugins.
_RUN_GRAFANA = f"""#!/bin/sh
set -e
[ -r "$GF_PATHS_CONFIG" ] || echo "GF_PATHS_CONFIG='$GF_PATHS_CONFIG' is not readable."
[ -w "$GF_PATHS_DATA" ] || echo "GF_PATHS_DATA='$GF_PATHS_DATA' is not writable."
[ -d "$GF_PATHS_PLUGINS" ] || mkdir "$GF_PATHS_PLUGINS"
{_PYTHON}.grafana
"""
_RUN_KIBANA = f"""#!/bin/bash
umask 0002
{_PYTHON}.kibana
"""
_RUN_LOGSTASH = """#!/bin/bash -e
exec logstash "$@"
"""
_RUN_FILEBEAT = """#!/bin/bash -e
exec filebeat "$@"
"""


def images() -> list[Image]:
    """Return the images, each under the name that its chart or operator asks for."""
    return [_grafana(), _sidecar(), _kibana(), _logstash(), _filebeat()]


def _grafana() -> Image:
    version = str(yaml.safe_load((GRAFANA_CHART / "Chart.yaml").read_text())["appVersion"])

    def fill(layer: Layer) -> None:
        layer.system(grafana=GRAFANA_USER)
        _add_python(layer)
        _add_package(layer)
        layer.busybox(*COMMANDS)
        layer.text("/run.sh", _RUN_GRAFANA, 0o755)
        layer.folder(GRAFANA_FOLDERS["HOME"])
        for name in ("DATA", "LOGS", "PLUGINS", "PROVISIONING"):
            layer.folder(GRAFANA_FOLDERS[name], 0o777, GRAFANA_USER)
        for name in ("dashboards", "datasources"):
            layer.folder(f"{GRAFANA_FOLDERS['PROVISIONING']}/{name}", 0o777, GRAFANA_USER)
        layer.text(GRAFANA_FOLDERS["CONFIG"], "", uid=GRAFANA_USER)

    return Image(
        names=(f"docker.io/grafana/grafana:{version}",),
        content=_content(),
        fill=fill,
        user=str(GRAFANA_USER),
        workdir=GRAFANA_FOLDERS["HOME"],
        entrypoint=("/run.sh",),
        environment={
            "PATH": f"{GRAFANA_FOLDERS['HOME']}/bin:{_PATH}",
            "GRAFANA_VERSION": version,
            **{f"GF_PATHS_{name}": path for name, path in GRAFANA_FOLDERS.items()},
        },
    )


def _sidecar() -> Image:
    name = re.findall(r"quay\.io/kiwigrid/k8s-sidecar:\S+", (GRAFANA_CHART / "templates" / "grafana.yaml").read_text())

    def fill(layer: Layer) -> None:
        layer.system()
        _add_python(layer)
        layer.busybox(*COMMANDS)
        layer.file("/app/sidecar.py", PROGRAMS / "sidecar.py")

    return Image(
        names=(name[0],),
        content=_content(),
        fill=fill,
        user=f"{NOBODY}:{NOBODY}",
        workdir="/app",
        entrypoint=("python", "-u", "-m", "sidecar"),
        environment={"PATH": _PATH, "PYTHONUNBUFFERED": "1"},
    )


def _kibana() -> Image:
    home = "/usr/share/kibana"

    def fill(layer: Layer) -> None:
        layer.system(kibana=ELASTIC_USER)
        with tempfile.TemporaryDirectory(dir=cache()) as work:
            _add_python(layer, _tini(Path(work, "packages")) | {"/bin/bash": Path("/bin/bash")})
        _add_package(layer)
        layer.busybox(*COMMANDS)
        layer.link("/usr/bin/env", "/bin/busybox")
        layer.text("/usr/local/bin/kibana-docker", _RUN_KIBANA, 0o755)
        for folder in ("", "/config", "/data", "/logs", "/plugins"):
            layer.folder(f"{home}{folder}", 0o2775, ELASTIC_USER)
        layer.text(f"{home}/config/kibana.yml", "server.host: 0.0.0.0\n", 0o664, ELASTIC_USER)

    return Image(
        names=(f"docker.elastic.co/kibana/kibana:{_elastic_version()}",),
        content=_content(),
        fill=fill,
        user=str(ELASTIC_USER),
        workdir=home,
        entrypoint=("/bin/tini", "--"),
        command=("/usr/local/bin/kibana-docker",),
        environment={"PATH": f"{home}/bin:{_PATH}", "ELASTIC_CONTAINER": "true"},
    )


def _logstash() -> Image:
    home = "/usr/share/logstash"

    def fill(layer: Layer) -> None:
        layer.system(logstash=ELASTIC_USER)
        # With openssl the operator's init container makes the keystore of the API.
        programs = {f"/usr/bin/{name}": Path("/usr/bin", name) for name in ("bash", "openssl")}
        libraries.add(layer, libraries.with_libraries(programs))
        layer.file("/etc/ssl/openssl.cnf", Path("/etc/ssl/openssl.cnf"))
        layer.busybox(*COMMANDS)
        layer.link("/bin/bash", "/usr/bin/bash")
        layer.link("/usr/bin/env", "/bin/busybox")
        layer.text("/usr/local/bin/docker-entrypoint", _RUN_LOGSTASH, 0o755)
        for folder in ("", "/bin", "/config", "/data", "/logs", "/pipeline"):
            layer.folder(f"{home}{folder}", 0o2775, ELASTIC_USER)
        layer.file(f"{home}/bin/logstash", LOGSTASH.path, 0o775, ELASTIC_USER)
        # The init container copies what has a dot in its name.
        layer.text(f"{home}/config/logstash.yml", "api.http.host: 0.0.0.0\n", 0o664, ELASTIC_USER)
        layer.text(f"{home}/config/pipelines.yml", "[]\n", 0o664, ELASTIC_USER)

    version = _elastic_version()
    return Image(
        names=(f"docker.elastic.co/logstash/logstash:{version}",),
        content=_content(LOGSTASH),
        fill=fill,
        user=str(ELASTIC_USER),
        workdir=home,
        entrypoint=("/usr/local/bin/docker-entrypoint",),
        environment={"PATH": f"{home}/bin:{_PATH}", "ELASTIC_CONTAINER": "true", "LOGSTASH_VERSION": version},
    )


def _filebeat() -> Image:
    home = "/usr/share/filebeat"

    def fill(layer: Layer) -> None:
        layer.system(filebeat=ELASTIC_USER)
        with tempfile.TemporaryDirectory(dir=cache()) as work:
            programs = _tini(Path(work, "packages")) | {"/bin/bash": Path("/bin/bash")}
            libraries.add(layer, libraries.with_libraries(programs))
        layer.busybox(*COMMANDS)
        layer.text("/usr/local/bin/docker-entrypoint", _RUN_FILEBEAT, 0o755)
        # Nobody but root and the group may look into it.
        layer.folder(home, 0o750, gid=ELASTIC_USER)
        for folder in ("data", "logs"):
            layer.folder(f"{home}/{folder}", 0o770, gid=ELASTIC_USER)
        layer.file(f"{home}/filebeat", FILEBEAT.path, 0o750, gid=ELASTIC_USER)

    return Image(
        names=(f"docker.elastic.co/beats/filebeat:{_elastic_version()}",),
        content=_content(FILEBEAT),
        fill=fill,
        user="filebeat",
        workdir=home,
        entrypoint=("/bin/tini", "--", "/usr/local/bin/docker-entrypoint"),
        command=("-environment", "container"),
        environment={"PATH": f"{home}:{_PATH}", "ELASTIC_CONTAINER": "true"},
    )


def _elastic_version() -> str:
    """Return the version that Kibana, Logstash and Filebeat share with the Elasticsearch of the logs."""
    return LogsSettings().elasticsearch.version


def _content(program: Program | None = None) -> tuple[str, ...]:
    """Return what decides what is in an image: a program, or Python with the stand-ins that are written in it."""
    if program:
        return (str(program.path.relative_to(cache())),)
    sources = sorted(PROGRAMS.glob("*.py"))
    return *python.content(), yaml.__version__, *(file.read_text() for file in sources)


def _add_python(layer: Layer, more: dict[str, Path] | None = None) -> None:
    """Add the interpreter, other programs, and the libraries of all of them."""
    found = python.interpreter()
    libraries.add(layer, libraries.with_libraries({**python.files(found), **(more or {})}))
    python.link(layer, found)


def _add_package(layer: Layer) -> None:
    """Add the stand-ins as a package, and PyYAML without what is compiled of it, for another version of Python."""
    for file in sorted(PROGRAMS.glob("*.py")):
        layer.file(f"{_PACKAGES}/stand_ins/{file.name}", file)
    for file in sorted(Path(yaml.__file__).parent.glob("*.py")):
        layer.file(f"{_PACKAGES}/yaml/{file.name}", file)


def _tini(folder: Path) -> dict[str, Path]:
    """Return the process 1 of Elastic's images, by its path there."""
    debian.unpack(["tini"], folder)
    return {"/bin/tini": folder / "usr" / "bin" / "tini"}
