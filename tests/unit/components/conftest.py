"""The program's run for every stack, once."""

import pytest

from tests.offline import STACKS, Run, run


@pytest.fixture(scope="package")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return {stack: run(stack, tmp_path_factory.mktemp(stack)) for stack in STACKS}


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    return runs[request.param]
