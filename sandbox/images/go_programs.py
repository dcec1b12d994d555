"""Images of the real programs, each at the version that is shipped, in the form of the published one.

User, entrypoint, command and folder of work are those of the Dockerfiles that `development/workload_rules/images.py`
names. Where the published image has a shell, these have busybox.
"""

from collections.abc import Callable

from operations.cache import cache
from sandbox.images.oci import NOBODY, Image, Layer
from sandbox.program_pins import (
    ALERTMANAGER,
    AMTOOL,
    CONFIG_RELOADER,
    COREDNS,
    ECK_OPERATOR,
    ELASTICSEARCH_EXPORTER,
    JAEGER_COLLECTOR,
    JAEGER_INDEX_CLEANER,
    JAEGER_OPERATOR,
    JAEGER_QUERY,
    KUBE_STATE_METRICS,
    NODE_EXPORTER,
    PAUSE,
    PROMETHEUS,
    PROMTOOL,
    RESTIC,
    Program,
)

PROGRAMS = (
    PROMETHEUS,
    ALERTMANAGER,
    AMTOOL,
    CONFIG_RELOADER,
    KUBE_STATE_METRICS,
    NODE_EXPORTER,
    ECK_OPERATOR,
    JAEGER_OPERATOR,
    JAEGER_COLLECTOR,
    JAEGER_QUERY,
    JAEGER_INDEX_CLEANER,
    ELASTICSEARCH_EXPORTER,
    RESTIC,
    COREDNS,
    PAUSE,
)
SHELL = ("sh", "cat", "cp", "id", "ls", "sleep", "wget")


def images() -> list[Image]:
    """Return the images of everything but Java and Python."""
    return [
        _image(
            PROMETHEUS,
            "quay.io/prometheus/prometheus",
            "/bin/prometheus",
            user="nobody",
            workdir="/prometheus",
            command=("--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"),
            busybox=True,
            more=lambda layer: layer.folder("/prometheus", 0o775, NOBODY, NOBODY),
            tool=PROMTOOL,
        ),
        _image(
            ALERTMANAGER,
            "quay.io/prometheus/alertmanager",
            "/bin/alertmanager",
            user="nobody",
            workdir="/alertmanager",
            command=("--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"),
            busybox=True,
            more=lambda layer: layer.folder("/alertmanager", 0o775, NOBODY, NOBODY),
            tool=AMTOOL,
        ),
        _image(
            CONFIG_RELOADER,
            "quay.io/prometheus-operator/prometheus-config-reloader",
            "/bin/prometheus-config-reloader",
            user="nobody",
            busybox=True,
        ),
        _image(
            KUBE_STATE_METRICS,
            "registry.k8s.io/kube-state-metrics/kube-state-metrics",
            "/kube-state-metrics",
            ("--port=8080", "--telemetry-port=8081"),
            user="nobody",
        ),
        _image(NODE_EXPORTER, "quay.io/prometheus/node-exporter", "/bin/node_exporter", user="nobody", busybox=True),
        _image(
            ECK_OPERATOR,
            "docker.elastic.co/eck/eck-operator",
            "/elastic-operator",
            user="1001:0",
            workdir="/",
            command=("manager",),
            prefix="",
        ),
        _image(
            JAEGER_OPERATOR,
            "docker.io/jaegertracing/jaeger-operator",
            "/jaeger-operator",
            user="1001:1001",
            workdir="/",
            prefix="",
        ),
        _image(
            JAEGER_COLLECTOR,
            "docker.io/jaegertracing/jaeger-collector",
            "/go/bin/collector-linux",
            user="10001",
            prefix="",
        ),
        _image(JAEGER_QUERY, "docker.io/jaegertracing/jaeger-query", "/go/bin/query-linux", user="10001", prefix=""),
        _image(
            JAEGER_INDEX_CLEANER,
            "docker.io/jaegertracing/jaeger-es-index-cleaner",
            "/go/bin/es-index-cleaner-linux",
            user="10001",
            prefix="",
        ),
        _image(
            ELASTICSEARCH_EXPORTER,
            "quay.io/prometheuscommunity/elasticsearch-exporter",
            "/bin/elasticsearch_exporter",
            user="nobody",
            busybox=True,
        ),
        _image(RESTIC, "docker.io/restic/restic", "/usr/bin/restic", busybox=True, prefix=""),
        # As root: the published one has another user, and a capability of the file, by which that one takes port 53.
        _image(COREDNS, "registry.k8s.io/coredns/coredns", "/coredns", workdir="/"),
        Image(
            names=(f"registry.k8s.io/pause:{PAUSE.version}",),
            content=(str(PAUSE.path.relative_to(cache())),),
            fill=lambda layer: layer.file("/pause", PAUSE.path),
            user="65535:65535",
            entrypoint=("/pause",),
        ),
        # For the cluster's own pods: those that make and remove a volume's folder, and `sandbox.live.internet`.
        Image(
            names=("docker.io/library/busybox:1.35",),
            content=("chroot", "mkdir", "rm"),
            fill=lambda layer: layer.busybox("sh", "chroot", "mkdir", "rm"),
            command=("sh",),
        ),
    ]


def _image(
    program: Program,
    repository: str,
    path: str,
    arguments: tuple[str, ...] = (),
    *,
    user: str = "",
    workdir: str = "",
    command: tuple[str, ...] = (),
    busybox: bool = False,
    prefix: str = "v",
    more: Callable[[Layer], None] = lambda _: None,
    tool: Program | None = None,
) -> Image:
    """Return the image of one program: it lies at `path`, and ENTRYPOINT is that with `arguments`.

    Its tag is the version after `prefix`, `more` adds what else it needs, and `tool` is a second program beside it.
    """
    programs = {path: program} | ({f"/bin/{tool.file_name}": tool} if tool else {})

    def fill(layer: Layer) -> None:
        layer.system()
        for inside, each in programs.items():
            layer.file(inside, each.path)
        if busybox:
            layer.busybox(*SHELL)
        more(layer)

    return Image(
        names=(f"{repository}:{prefix}{program.version}",),
        content=(*(str(each.path.relative_to(cache())) for each in programs.values()), str(busybox)),
        fill=fill,
        user=user,
        workdir=workdir,
        entrypoint=(path, *arguments),
        command=command,
    )
