"""The exceptions from the rules that the program's own stacks need, each with its reason.

The rights are those that the charts give.
"""

from collections.abc import Sequence

from .finding import Excuse

EXCEPTIONS: Sequence[Excuse] = (
    Excuse(
        "reads-secrets",
        "Role monitoring*/elastic-operator",
        "elastic-operator makes the Secrets of its resources in its two namespaces, by names of their own, and reads "
        "those that a stack gives them",
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
)
