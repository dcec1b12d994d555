"""The exceptions from the rules that the program's own stacks need, each with its reason.

The rights are those that the charts give.
"""

from collections.abc import Sequence

from .finding import Excuse

EXCEPTIONS: Sequence[Excuse] = (
    Excuse(
        "reads-secrets",
        "ClusterRole elastic-operator",
        "elastic-operator's chart gives it every Secret of the cluster, though it watches two namespaces",
    ),
    Excuse(
        "creates-pods-cluster-wide",
        "ClusterRole elastic-operator",
        "elastic-operator's chart gives it pods and workloads of the cluster, though it watches two namespaces",
    ),
    Excuse(
        "reads-secrets",
        "Role monitoring/jaeger-operator",
        "jaeger-operator's chart gives it every Secret of its namespace, for an Elasticsearch of its own, which it "
        "makes on OpenShift only",
    ),
    Excuse(
        "escalates",
        "Role monitoring/jaeger-operator",
        "jaeger-operator's chart lets it write clusterrolebindings, which a Role cannot give, for they are in no "
        "namespace",
    ),
    Excuse(
        "gives-nothing",
        "Role monitoring/jaeger-operator/namespaces",
        "jaeger-operator asks once for the namespaces, is refused, and does without: it watches its own",
    ),
    Excuse(
        "gives-nothing",
        "Role monitoring/jaeger-operator/clusterrolebindings",
        "jaeger-operator writes them for an agent or a proxy that no stack of ours has",
    ),
    Excuse(
        "reads-secrets",
        "ClusterRole kube-state-metrics",
        "its chart gives it all that it can count, Secrets among it, which no rule or dashboard asks for",
    ),
    Excuse(
        "reads-secrets",
        "Role monitoring/grafana",
        "grafana's chart gives its sidecars ConfigMaps and Secrets of the namespace, and they read ConfigMaps alone",
    ),
)
