"""Load balancers of another kind are refused with the command that lets go of them."""

from pathlib import Path
from typing import Any

import pytest
from kubernetes import config

from components.foundation.load_balancer_check import of_another_kind
from components.settings import Settings
from tests.unit.components.foundation.cluster_api import CONTEXT, answering, lead_to

CLUSTER = {"name": "c", "region": "r", "context": CONTEXT, "server": "https://x"}
NODE_PORT = {"loadBalancer": "nodePort", "nodeAddress": "localhost"}
GENERIC, AWS = {"type": "LoadBalancer"}, {"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb"}
NODE = {"type": "NodePort"}
OTHER = {"type": "LoadBalancer", "loadBalancerClass": "example.com/other"}


PATH = "/api/v1/namespaces/monitoring/services"


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return what is told of Services with these specs, beside one that is not for people."""

    def told(exposure: dict[str, str], refused: dict[str, int] | None = None, **specs: dict[str, str]) -> list[str]:
        named = {f"{name}-external": spec for name, spec in specs.items()} | {"other": OTHER}
        items = [{"metadata": {"name": name}, "spec": spec} for name, spec in named.items()]
        with answering({PATH: {"items": items}}, refused) as address:
            lead_to(address, tmp_path, monkeypatch)
            client = config.new_client_from_config(context=CONTEXT)  # type: ignore[no-untyped-call]
            return of_another_kind(Settings.model_validate({"cluster": CLUSTER, "exposure": exposure}), client)

    return told


@pytest.mark.parametrize(
    ("exposure", "spec"),
    [
        ({"loadBalancer": "generic"}, GENERIC),
        ({"loadBalancer": "aws"}, AWS),
        ({"loadBalancer": "aws"}, NODE),
        (NODE_PORT, AWS),
        (NODE_PORT, GENERIC),
    ],
)
def test_what_is_as_it_should_be_and_what_is_of_another_type_passes(ask: Any, exposure: Any, spec: Any) -> None:
    assert ask(exposure, grafana=spec) == []


def test_none_is_there_yet(ask: Any) -> None:
    assert ask({"loadBalancer": "aws"}) == []


@pytest.mark.parametrize(
    ("kind", "spec"), [("generic", AWS), ("aws", GENERIC), ("aws", AWS | {"loadBalancerClass": "x"})]
)
def test_another_kind_is_refused_with_the_command(ask: Any, kind: str, spec: Any) -> None:
    own = GENERIC if kind == "generic" else AWS
    (line,) = ask({"loadBalancer": kind}, grafana=spec, kibana=spec, prometheus=own)
    assert line.startswith(
        f"exposure.loadBalancer: {kind}, and grafana-external, kibana-external have a load balancer "
    )
    command = (
        f"kubectl --context {CONTEXT} -n monitoring delete service grafana-external kibana-external, then once more"
    )
    assert command in line


def test_what_may_not_be_read_is_a_warning(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", told.append)
    assert ask({"loadBalancer": "aws"}, {PATH: 403}, grafana=GENERIC) == []
    assert len(told) == 1
