"""What the stacks of EKS register in AWS."""

import pytest

from tests.offline import Run, run

DOMAIN = {"name": "monitoring.example.com", "zoneId": "Z0123456789ABCDEFGHIJ"}
WORKSPACE = "https://aps-workspaces.ap-southeast-1.amazonaws.com/workspaces/ws-0123abcd/api/v1/remote_write"
STACKS = {
    "staging": ("staging", {}),
    "prod": ("prod", {}),
    "prod with all": ("prod", {"exposure": {"domain": DOMAIN}, "prometheus": {"remoteWrite": {"url": WORKSPACE}}}),
}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    charts = tmp_path_factory.mktemp("charts")
    return {name: run(stack, charts, settings) for name, (stack, settings) in STACKS.items()}


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    return runs[request.param]
