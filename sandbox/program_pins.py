"""The programs that the sandbox runs: what each is built from, and where it lives.

All of them are built from the Go module proxy. A folder of `sandbox/programs/` is the Go module that pins a program
and everything that it is compiled from; `sandbox/build.py` builds them into `cache()`.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from components.foundation import engine
from operations.cache import cache
from operations.helm import KUBERNETES

MODULES = Path(__file__).parent / "programs"
MINIMUM_PULUMI = tuple(map(int, engine.LEAST.split(".")))

GOOS = platform.system().lower()
GOARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


class Group(StrEnum):
    """What needs a program: each verb ENGINE, `make up` CLUSTER, `make live` CLUSTER and LIVE, tests all of them.

    Of LONG is what `make test-long` alone needs.
    """

    ENGINE = "engine"
    CLUSTER = "cluster"
    LIVE = "live"
    TESTING = "testing"
    LONG = "long"


@dataclass(frozen=True)
class Module:
    """A Go module of `sandbox/programs/`; its programs compile what they have in common once.

    Some published modules lack files that their own build generates. Then `incomplete` is that module's path,
    `copies` maps a missing file to the file of the module with the same content, `stubs` one to its text, which is
    packed where it is named `.gz`.
    """

    name: str
    ldflags: str = ""
    tags: str = ""
    incomplete: str = ""
    copies: dict[str, str] = field(default_factory=dict)
    stubs: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of go.mod and go.sum."""
        return MODULES / self.name

    @property
    def flags(self) -> list[str]:
        """The flags of `go build`: nothing for a debugger, and nothing inlined, which saves a third of the time."""
        speed = ["-gcflags=all=-dwarf=false -l", "-pgo=off"]
        return ["-trimpath", *speed, f"-tags={self.tags}", f"-ldflags=-s -w {self.ldflags}"]

    def key(self) -> str:
        """Return a short hash of everything that decides what is built."""
        parts = [*self.flags, self.incomplete, *self.copies.items(), *self.stubs.items(), GOOS, GOARCH]
        digest = hashlib.sha256(repr(parts).encode())
        for file in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            digest.update(file.relative_to(self.folder).as_posix().encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()[:8]


@dataclass(frozen=True)
class Program:
    """An executable: the Go package `package` of `module`, kept under `file_name`."""

    name: str
    module: Module
    package: str
    version: str
    group: Group
    file_name: str

    @property
    def path(self) -> Path:
        """The path of the executable once it is built."""
        return cache() / "programs" / f"{self.name}-{self.version}-{self.module.key()}" / self.file_name


def _assign(version_of: dict[str, str]) -> str:
    """Return the linker flags that set string variables."""
    return " ".join(f"-X {variable}={value}" for variable, value in version_of.items())


# The Automation API refuses a CLI that does not know its version.
_PULUMI_VERSION = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
PULUMI_MODULE = Module("pulumi", ldflags=_assign({_PULUMI_VERSION: "v3.274.1"}))
OLDEST_PULUMI_MODULE = Module("oldest-pulumi", ldflags=_assign({_PULUMI_VERSION: "v3.248.0"}))
_PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"
PROVIDER_MODULE = Module(
    "provider",
    ldflags=_assign(
        {f"{_PROVIDER}/pkg/version.Version": "4.25.0", "helm.sh/helm/v3/internal/version.version": "v3.18.6"}
    ),
    incomplete=_PROVIDER,
    copies={
        "cmd/pulumi-resource-kubernetes/schema-embed.json": "cmd/pulumi-resource-kubernetes/schema.json",
        "cmd/pulumi-resource-kubernetes/terraform-mapping-embed.json": (
            "cmd/pulumi-resource-kubernetes/terraform-mapping.json"
        ),
    },
)
CLUSTER_MODULE = Module(
    "cluster",
    # Without its version the API server calls itself v0.0.0, and the charts' `kubeVersion` refuses that.
    ldflags=_assign(
        {
            f"k8s.io/{package}/version.{variable}": value
            for package in ("component-base", "client-go/pkg")
            for variable, value in {"gitVersion": "v1.36.3", "gitMajor": "1", "gitMinor": "36"}.items()
        }
        | {"sigs.k8s.io/kwok/pkg/consts.Version": "v0.8.0", "github.com/prometheus/common/version.Version": "3.14.0"}
    ),
    # Prometheus' discovery of thirty clouds compiles longer than Prometheus, and nothing here uses it.
    tags="remove_all_sd,enable_kubernetes_sd,enable_dns_sd",
)
# What a cluster whose containers run needs beside the control plane, and what runs in its pods from the start.
LIVE_MODULE = Module("live")
# Of its own, for it imports logrus by the name in capitals that kube-router's modules do not.
LOCAL_PATH_MODULE = Module("local-path-provisioner")
# What stands in for Logstash and Filebeat in images of their names.
STAND_INS_MODULE = Module("stand-ins")
JAEGER_OPERATOR_MODULE = Module("jaeger-operator")
JAEGER_MODULE = Module("jaeger")
ACTIONLINT_MODULE = Module("actionlint", ldflags=_assign({"github.com/rhysd/actionlint.version": "1.7.12"}))
ACT_MODULE = Module("act")
ELASTICSEARCH_EXPORTER_MODULE = Module(
    "elasticsearch-exporter", ldflags=_assign({"github.com/prometheus/common/version.Version": "1.10.0"})
)
CONFIG_RELOADER_MODULE = Module(
    "config-reloader", ldflags=_assign({"github.com/prometheus/common/version.Version": "0.93.1"})
)
RESTIC_MODULE = Module("restic", ldflags=_assign({"main.version": "0.18.1"}))
ALERTMANAGER_MODULE = Module(
    "alertmanager",
    ldflags=_assign({"github.com/prometheus/common/version.Version": "0.34.0"}),
    incomplete="github.com/prometheus/alertmanager",
    stubs={"ui/app/dist/index.html.gz": "Built without its pages: only the API answers.\n"},
)


def _program(group: Group, module: Module, package: str, version: str, name: str = "") -> Program:
    """Return a program that is called like the last part of its package, unless `name` says otherwise."""
    name = name or package.rsplit("/", 1)[-1]
    return Program(name, module, package, version, group, name)


PULUMI = _program(Group.ENGINE, PULUMI_MODULE, "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", "3.274.1")
# The oldest that the program takes and that the Go module proxy has.
OLDEST_PULUMI = _program(
    Group.LONG, OLDEST_PULUMI_MODULE, "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", "3.248.0", name="oldest-pulumi"
)
PROVIDER = _program(Group.ENGINE, PROVIDER_MODULE, f"{_PROVIDER}/cmd/pulumi-resource-kubernetes", "4.25.0")
KUBE_APISERVER = _program(Group.CLUSTER, CLUSTER_MODULE, "k8s.io/kubernetes/cmd/kube-apiserver", KUBERNETES)
KUBE_CONTROLLER_MANAGER = _program(
    Group.CLUSTER, CLUSTER_MODULE, "k8s.io/kubernetes/cmd/kube-controller-manager", "1.36.3"
)
KUBE_SCHEDULER = _program(Group.CLUSTER, CLUSTER_MODULE, "k8s.io/kubernetes/cmd/kube-scheduler", "1.36.3")
KUBECTL = _program(Group.CLUSTER, CLUSTER_MODULE, "k8s.io/kubernetes/cmd/kubectl", "1.36.3")
KUBELET = _program(Group.LIVE, CLUSTER_MODULE, "k8s.io/kubernetes/cmd/kubelet", KUBERNETES)
KUBE_PROXY = _program(Group.LIVE, CLUSTER_MODULE, "k8s.io/kubernetes/cmd/kube-proxy", KUBERNETES)
ETCD = _program(Group.CLUSTER, CLUSTER_MODULE, "go.etcd.io/etcd/server/v3", "3.6.16", name="etcd")
KWOK = _program(Group.CLUSTER, CLUSTER_MODULE, "sigs.k8s.io/kwok/cmd/kwok", "0.8.0")
KWOKCTL = _program(Group.CLUSTER, CLUSTER_MODULE, "sigs.k8s.io/kwok/cmd/kwokctl", "0.8.0")
ECK_OPERATOR = _program(
    Group.CLUSTER, CLUSTER_MODULE, "github.com/elastic/cloud-on-k8s/v3/cmd", "3.5.0", name="eck-operator"
)
JAEGER_OPERATOR = _program(Group.CLUSTER, JAEGER_OPERATOR_MODULE, "github.com/jaegertracing/jaeger-operator", "1.65.0")
# Previews render with Helm. The provider is compiled from the same packages: it costs seconds here, minutes alone.
HELM = _program(Group.ENGINE, PROVIDER_MODULE, "helm.sh/helm/v3/cmd/helm", "3.18.6")
PROMETHEUS = _program(Group.TESTING, CLUSTER_MODULE, "github.com/prometheus/prometheus/cmd/prometheus", "3.14.0")
PROMTOOL = _program(Group.TESTING, CLUSTER_MODULE, "github.com/prometheus/prometheus/cmd/promtool", "3.14.0")
ALERTMANAGER = _program(
    Group.TESTING, ALERTMANAGER_MODULE, "github.com/prometheus/alertmanager/cmd/alertmanager", "0.34.0"
)
AMTOOL = _program(Group.TESTING, ALERTMANAGER_MODULE, "github.com/prometheus/alertmanager/cmd/amtool", "0.34.0")
# What the operator's Deployments and its CronJob run.
JAEGER_COLLECTOR = _program(
    Group.TESTING, JAEGER_MODULE, "github.com/jaegertracing/jaeger/cmd/collector", "1.76.0", name="jaeger-collector"
)
JAEGER_QUERY = _program(
    Group.TESTING, JAEGER_MODULE, "github.com/jaegertracing/jaeger/cmd/query", "1.76.0", name="jaeger-query"
)
JAEGER_INDEX_CLEANER = _program(
    Group.TESTING,
    JAEGER_MODULE,
    "github.com/jaegertracing/jaeger/cmd/es-index-cleaner",
    "1.76.0",
    name="jaeger-es-index-cleaner",
)
RESTIC = _program(Group.TESTING, RESTIC_MODULE, "github.com/restic/restic/cmd/restic", "0.18.1")
ACTIONLINT = _program(Group.TESTING, ACTIONLINT_MODULE, "github.com/rhysd/actionlint/cmd/actionlint", "1.7.12")
ACT = _program(Group.TESTING, ACT_MODULE, "github.com/nektos/act", "0.2.89")
ELASTICSEARCH_EXPORTER = _program(
    Group.TESTING,
    ELASTICSEARCH_EXPORTER_MODULE,
    "github.com/prometheus-community/elasticsearch_exporter",
    "1.10.0",
    name="elasticsearch-exporter",
)
CONFIG_RELOADER = _program(
    Group.TESTING,
    CONFIG_RELOADER_MODULE,
    "github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader",
    "0.93.1",
)

KUBE_STATE_METRICS = _program(
    Group.LIVE, LIVE_MODULE, "k8s.io/kube-state-metrics/v2", "2.20.0", name="kube-state-metrics"
)
NODE_EXPORTER = _program(Group.LIVE, LIVE_MODULE, "github.com/prometheus/node_exporter", "1.12.1")
LOCAL_PATH_PROVISIONER = _program(Group.LIVE, LOCAL_PATH_MODULE, "github.com/rancher/local-path-provisioner", "0.0.30")
KUBE_ROUTER = _program(Group.LIVE, LIVE_MODULE, "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router", "2.1.0")
COREDNS = _program(Group.LIVE, LIVE_MODULE, "./coredns", "1.14.7")
PAUSE = _program(Group.LIVE, LIVE_MODULE, "./pause", "3.10")
LOGSTASH = _program(Group.LIVE, STAND_INS_MODULE, "./logstash", "1")
FILEBEAT = _program(Group.LIVE, STAND_INS_MODULE, "./filebeat", "1")

# In the order in which they are built: while the small first one compiles, what the large ones need is fetched.
PROGRAMS = (
    JAEGER_OPERATOR,
    PULUMI,
    HELM,
    PROVIDER,
    KUBE_APISERVER,
    KUBE_CONTROLLER_MANAGER,
    KUBE_SCHEDULER,
    KUBECTL,
    KUBELET,
    KUBE_PROXY,
    ETCD,
    KWOK,
    KWOKCTL,
    ECK_OPERATOR,
    PROMETHEUS,
    PROMTOOL,
    KUBE_STATE_METRICS,
    NODE_EXPORTER,
    KUBE_ROUTER,
    COREDNS,
    PAUSE,
    LOCAL_PATH_PROVISIONER,
    LOGSTASH,
    FILEBEAT,
    ALERTMANAGER,
    AMTOOL,
    JAEGER_COLLECTOR,
    JAEGER_QUERY,
    JAEGER_INDEX_CLEANER,
    RESTIC,
    ACTIONLINT,
    ACT,
    ELASTICSEARCH_EXPORTER,
    CONFIG_RELOADER,
    OLDEST_PULUMI,
)


def of_groups(*groups: Group) -> list[Program]:
    """Return the programs of these groups, without a Pulumi where one is installed."""
    installed = PULUMI if find_pulumi() else None
    return [program for program in PROGRAMS if program.group in groups and program is not installed]


def find_pulumi() -> Path | None:
    """Return the installed Pulumi CLI if it is new enough and has its language host for Python beside it."""
    found = shutil.which("pulumi")
    if found is None:
        return None
    beside = (Path(found), Path(found).resolve())
    if not any((path.parent / "pulumi-language-python").exists() for path in beside):
        return None
    answer = subprocess.run(
        [found, "version"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"},
    )
    version = re.match(r"v?(\d+)\.(\d+)\.", answer.stdout.strip())
    if version is None or (int(version[1]), int(version[2])) < MINIMUM_PULUMI:
        return None
    return Path(found)
