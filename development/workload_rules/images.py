"""The published user of each image that the program and its charts run, and what SIGTERM does to its program.

A kubelet reads the user in the image, and takes none but a number for proof that it is not root. Nothing here is from
memory: each entry names the file that says so, in the public repository of who publishes the image, at the version that
is pinned where that could be had. Not proven by a file of that version, and said so in the entry: eck-operator's user,
Grafana, Filebeat, Elasticsearch, Kibana and Logstash.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Image:
    """The published facts of an image.

    Args:
        user: its USER; "" where it has none, which is root; None where nobody could find out.
        entrypoint: whether its ENTRYPOINT ends on SIGTERM as pid 1; "none" where there is no ENTRYPOINT, so that a
            container's arguments are pid 1.
        source: where both are written.
    """

    user: str | None
    entrypoint: Literal["ends", "none"]
    source: str

    @property
    def is_root(self) -> bool:
        """Return whether the user is known to be root."""
        return self.user is not None and re.fullmatch(r"(0|root|)(:.*)?", self.user) is not None

    @property
    def is_provably_not_root(self) -> bool:
        """Return whether a kubelet that reads the image sees a user that is not root: a number, and not 0."""
        return self.user is not None and re.fullmatch(r"0*[1-9]\d*(:.*)?", self.user) is not None


_PROMETHEUS = "github.com/prometheus"
_OF_GO = "; a Go program ends on SIGTERM as pid 1 even without a handler (runtime/signal_unix.go, dieFromSignal)"
_JAEGER = "github.com/jaegertracing/jaeger v1.76.0"
_STACK = "github.com/elastic/dockerfiles, branches 8.19 and 9.2 (the newest there)"

# By repository, as a manifest spells it but for docker.io/ and library/.
IMAGES: Mapping[str, Image] = {
    "quay.io/prometheus/prometheus": Image(
        "nobody", "ends", f"{_PROMETHEUS}/prometheus v0.314.0 (3.14.0): Dockerfile; cmd/prometheus/main.go:1242"
    ),
    "quay.io/prometheus/alertmanager": Image(
        "nobody", "ends", f"{_PROMETHEUS}/alertmanager v0.34.0: Dockerfile; cmd/alertmanager/main.go:132"
    ),
    "quay.io/prometheus/node-exporter": Image(
        "nobody", "ends", f"{_PROMETHEUS}/node_exporter v1.12.1: Dockerfile{_OF_GO}"
    ),
    "quay.io/prometheus-operator/prometheus-config-reloader": Image(
        "nobody",
        "ends",
        "github.com/prometheus-operator/prometheus-operator v0.93.1: "
        "cmd/prometheus-config-reloader/Dockerfile, main.go:212",
    ),
    "quay.io/prometheuscommunity/elasticsearch-exporter": Image(
        "nobody", "ends", f"github.com/prometheus-community/elasticsearch_exporter v1.10.0: Dockerfile{_OF_GO}"
    ),
    "registry.k8s.io/kube-state-metrics/kube-state-metrics": Image(
        "nobody", "ends", f"k8s.io/kube-state-metrics v2.20.0: Dockerfile{_OF_GO}"
    ),
    "docker.elastic.co/eck/eck-operator": Image(
        None,
        "ends",
        "github.com/elastic/cloud-on-k8s v3.5.0: build/Dockerfile has no USER, and its base, "
        "docker.elastic.co/wolfi/static, is not public (the image -ubi has 1001); cmd/manager/main.go:394",
    ),
    "jaegertracing/jaeger-operator": Image(
        "1001:1001",
        "ends",
        "github.com/jaegertracing/jaeger-operator v1.65.0: Dockerfile (USER_UID); pkg/cmd/start/main.go:86",
    ),
    "jaegertracing/jaeger-collector": Image(
        "10001", "ends", f"{_JAEGER}: cmd/collector/Dockerfile (USER_UID); cmd/internal/flags/service.go:72"
    ),
    "jaegertracing/jaeger-query": Image(
        "10001", "ends", f"{_JAEGER}: cmd/query/Dockerfile (USER_UID); cmd/internal/flags/service.go:72"
    ),
    "jaegertracing/jaeger-es-index-cleaner": Image(
        "10001", "ends", f"{_JAEGER}: cmd/es-index-cleaner/Dockerfile (USER_UID){_OF_GO}"
    ),
    "docker.elastic.co/elasticsearch/elasticsearch": Image(
        "1000:0", "ends", f"{_STACK}: elasticsearch/Dockerfile; its ENTRYPOINT is tini, which passes signals on"
    ),
    "docker.elastic.co/kibana/kibana": Image(
        "1000", "ends", f"{_STACK}: kibana/Dockerfile; its ENTRYPOINT is tini, which passes signals on"
    ),
    "docker.elastic.co/logstash/logstash": Image(
        "1000", "ends", f"{_STACK}: logstash/Dockerfile; bin/docker-entrypoint ends in exec, and a JVM ends on SIGTERM"
    ),
    "docker.elastic.co/beats/filebeat": Image(
        "filebeat",
        "ends",
        "github.com/elastic/beats, dev-tools/packaging of 8.x (9.x could not be had): packages.yml (docker_spec), "
        "templates/docker/Dockerfile.tmpl; its ENTRYPOINT is tini, which passes signals on",
    ),
    "grafana/grafana": Image(
        "472",
        "ends",
        "github.com/grafana/grafana: Dockerfile (GF_UID; read in copies of 10 to 13, 13.2.0 itself could not be had), "
        "as the chart's runAsUser; packaging/docker/run.sh ends in exec" + _OF_GO,
    ),
    "quay.io/kiwigrid/k8s-sidecar": Image(
        "65534:65534", "ends", "github.com/kiwigrid/k8s-sidecar 2.10.1: Dockerfile; src/resources.py:63"
    ),
    "restic/restic": Image("", "ends", f"github.com/restic/restic v0.18.1: docker/Dockerfile.release{_OF_GO}"),
    "python": Image("", "none", "github.com/docker-library/python: 3.13/slim-trixie/Dockerfile, which has CMD alone"),
}


def repository(image: str) -> str:
    """Return the key of `IMAGES` for an image as a manifest has it: without registry docker.io, tag and digest."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    name = f"{folder}{slash}{last.partition(':')[0]}"
    for default in ("docker.io/", "index.docker.io/", "library/"):
        name = name.removeprefix(default)
    return name
