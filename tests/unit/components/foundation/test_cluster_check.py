"""A cluster that does not answer, or not to this user, is said without a traceback."""

import http.server
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest
import yaml

from components.foundation.cluster_check import connect
from components.settings import Settings
from tests.serving import serving


@pytest.fixture
def server() -> Iterator[str]:
    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)) as port:
        yield f"http://127.0.0.1:{port}"


def settings(monkeypatch: pytest.MonkeyPatch, folder: Path, address: str, user: dict[str, object]) -> Settings:
    """Return the settings of a stack whose cluster is at an address, and let the kubeconfig lead there."""
    kubeconfig = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": address}}],
        "users": [{"name": "x", "user": user}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    # The client reads the variable when it is imported.
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    cluster = {"name": "mangakai-x", "region": "r", "context": "x", "server": "https://x.invalid"}
    return Settings.model_validate({"cluster": cluster})


def test_a_cluster_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError, match=r"cluster mangakai-x does not answer .* Connection refused.* VPN"):
        connect(settings(monkeypatch, tmp_path, "https://127.0.0.1:1", {}))


def test_a_login_that_is_not_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str) -> None:
    with pytest.raises(pulumi.RunError, match=r"cluster mangakai-x does not answer .*401 Unauthorized.* logged in"):
        connect(settings(monkeypatch, tmp_path, server, {"token": "old"}))
