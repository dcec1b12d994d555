"""Which of the two clusters is there, and that neither takes the other's place."""

from pathlib import Path

import pytest

from sandbox import clusters
from sandbox.layout import Sandbox, ports_from
from sandbox.live.layout import Live
from sandbox.processes import SandboxError


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which cluster was started."""
    names: list[str] = []
    monkeypatch.setattr(clusters, "_start_live", lambda _: names.append("live"))
    monkeypatch.setattr(clusters, "_start_simulated", lambda _: names.append("simulated"))
    return names


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "sandbox", ports_from(30000))


@pytest.mark.parametrize(("asked", "which"), [(None, "simulated"), (False, "simulated"), (True, "live")])
def test_where_none_is_the_one_that_is_asked_for_is_started(
    sandbox: Sandbox, started: list[str], asked: bool | None, which: str
) -> None:
    clusters.start(sandbox, asked)
    assert started == [which]


def test_the_one_that_is_there_is_started_again(sandbox: Sandbox, started: list[str]) -> None:
    Live(sandbox).directory.mkdir(parents=True)
    clusters.start(sandbox)
    clusters.start(sandbox, want_live=True)
    assert started == ["live", "live"]


def test_neither_takes_the_place_of_the_other_even_of_one_that_never_started(
    tmp_path: Path, started: list[str]
) -> None:
    live, simulated = (Sandbox(tmp_path / name, ports_from(30000)) for name in ("live", "simulated"))
    Live(live).directory.mkdir(parents=True)
    simulated.kwok.mkdir(parents=True)
    with pytest.raises(SandboxError, match=r"the live cluster is there.*make down first"):
        clusters.start(live, want_live=False)
    with pytest.raises(SandboxError, match=r"the simulated cluster is there.*make down first"):
        clusters.start(simulated, want_live=True)
    assert started == []
