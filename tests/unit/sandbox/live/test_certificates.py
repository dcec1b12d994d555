"""The certificates of a live cluster, tried by Python's own TLS."""

import base64
import ssl
import tempfile
from pathlib import Path

import pytest
import yaml

from sandbox.live import certificates
from sandbox.live.certificates import API_NAMES, CLIENTS, LEAVES
from sandbox.live.layout import NODE_ADDRESS


@pytest.fixture(scope="module")
def folder() -> Path:
    folder = Path(tempfile.mkdtemp()) / "certificates"
    certificates.write(folder)
    return folder


def handshake(folder: Path, server: str, name: str, client: str) -> None:
    """Let a client speak to a server by a name, each with its certificate; raises ssl.SSLError if either refuses."""
    asked = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.crt"))
    asked.verify_mode = ssl.CERT_REQUIRED
    asked.load_cert_chain(folder / f"{server}.crt", folder / f"{server}.key")
    asking = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    asking.load_cert_chain(folder / f"{client}.crt", folder / f"{client}.key")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        asking.wrap_bio(to_client, to_server, server_hostname=name),
        asked.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for side in list(sides):
            try:
                side.do_handshake()
                sides.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert sides == []


@pytest.mark.parametrize("name", API_NAMES)
def test_the_api_server_answers_by_each_of_its_names(folder: Path, name: str) -> None:
    handshake(folder, "apiserver", name, "kubelet")


def test_the_kubelet_answers_the_api_server_and_nobody_answers_by_another_name(folder: Path) -> None:
    handshake(folder, "kubelet", NODE_ADDRESS, "kubelet-client")
    with pytest.raises(ssl.SSLError):
        handshake(folder, "kubelet", "example.com", "admin")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_kubeconfig_holds_the_certificates_themselves(folder: Path, client: str) -> None:
    file = folder / f"{client}.kubeconfig"
    document = yaml.safe_load(file.read_text())
    (user,) = document["users"]
    assert base64.b64decode(user["user"]["client-key-data"]) == (folder / f"{client}.key").read_bytes()
    assert file.stat().st_mode & 0o077 == 0


def test_keys_are_their_owners(folder: Path) -> None:
    keys = [folder / f"{name}.key" for name in ("ca", "sa", *(leaf[0] for leaf in LEAVES))]
    assert [key.name for key in keys if key.stat().st_mode & 0o077] == []
