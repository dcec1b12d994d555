"""The exceptions from the rules that the program's own stacks need, each with its reason."""

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
        "Role monitoring/jaeger-operator-resources",
        "jaeger-operator lists the Secrets that it once made for a Jaeger, though ours has none, each time that it "
        "looks at one, and does nothing where that is refused",
    ),
)
