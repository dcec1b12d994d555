"""A cluster that does not answer, or not to this user, is said without a traceback."""

from pathlib import Path

import pulumi
import pytest

from components.foundation.cluster_check import connect
from components.settings import Settings
from tests.unit.components.foundation.cluster_api import CONTEXT, answering, lead_to

SETTINGS = Settings.model_validate(
    {"cluster": {"name": "mangakai-x", "region": "r", "context": CONTEXT, "server": "https://x.invalid"}}
)


def test_a_cluster_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lead_to("https://127.0.0.1:1", tmp_path, monkeypatch)
    with pytest.raises(pulumi.RunError, match=r"cluster mangakai-x does not answer .* Connection refused.* VPN"):
        connect(SETTINGS)


def test_a_login_that_is_not_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with answering({}, refused={"": 401}) as address:
        lead_to(address, tmp_path, monkeypatch, user={"token": "old"})
        with pytest.raises(pulumi.RunError, match=r"cluster mangakai-x does not answer .*401 Unauthorized.* logged in"):
            connect(SETTINGS)


def test_what_is_of_another_stack_is_told_beside_what_the_cluster_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = {"metadata": {"annotations": {"mangakai.com/owner": "mangakai-monitoring/first"}}}
    with answering({"/api/v1/namespaces/monitoring": there}) as address:
        lead_to(address, tmp_path, monkeypatch)
        with pytest.raises(pulumi.RunError) as error:
            connect(SETTINGS)
    head, *lines = str(error.value).splitlines()
    assert head == "cluster mangakai-x cannot take this stack as it is set (nothing was registered):"
    assert lines[0].startswith(
        "  - namespace/monitoring: already there, and of stack mangakai-monitoring/first; this is"
    )
    assert any("there is no StorageClass 'gp3'" in line for line in lines)
