"""Who takes part in the gossip of Alertmanager's replicas, and who does not: the real ones, with production's flags."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from components.metrics import gossip
from sandbox.build import ensure
from sandbox.demo.watch import Watch
from sandbox.program_pins import ALERTMANAGER
from tests.delivery.alertmanagers import Replica, gossip_flags, write
from tests.offline import Run, run

# Each answers at one of them, and gossips at the next.
PORTS = (29350, 29352, 29354)
# A silence that passes at all does so within one.
SECONDS = 15


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    ensure([ALERTMANAGER])


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run("prod", tmp_path_factory.mktemp("charts"))


@contextmanager
def ended(*replicas: Replica) -> Iterator[None]:
    """End them, whatever happens."""
    try:
        yield
    finally:
        for replica in replicas:
            replica.end()


def in_the_clear(_folder: Path) -> list[str]:
    return []


def of_another_authority(folder: Path) -> list[str]:
    write(gossip.files("another secret than the replicas have"), folder)
    return [f"--cluster.tls-config={folder}/tls-config.yml"]


def without_a_certificate(folder: Path) -> list[str]:
    """Return the flags of one that knows the replicas' authority, and shows them nothing."""
    files = gossip.files("another secret than the replicas have")
    files["ca.crt"] = (folder.parent / "secret" / "ca.crt").read_text()
    config = yaml.safe_load(files["tls-config.yml"])
    for key in ("cert_file", "key_file"):
        del config["tls_client_config"][key]
    write({**files, "tls-config.yml": yaml.safe_dump(config)}, folder)
    return [f"--cluster.tls-config={folder}/tls-config.yml"]


@pytest.mark.parametrize("kind", [in_the_clear, of_another_authority, without_a_certificate])
def test_a_stranger_stays_out(production: Run, tmp_path: Path, kind: Callable[[Path], list[str]]) -> None:
    flags = gossip_flags(production, tmp_path / "secret")
    first, second = (Replica(tmp_path / f"replica-{port}", port, PORTS[:2]) for port in PORTS[:2])
    stranger = Replica(tmp_path / "stranger", PORTS[2], PORTS)
    with ended(first, second, stranger):
        first.start(flags)
        second.start(flags)
        assert Watch.wait(lambda: first.members() == second.members() == 2, SECONDS), first.log.read_text()
        stranger.start(kind(tmp_path / "of-the-stranger"))
        stranger.silence("a stranger's")
        second.silence("ours")
        began = time.monotonic()
        assert Watch.wait(lambda: "ours" in first.silences(), SECONDS)
        print(f"\na replica's silence passes in {time.monotonic() - began:.1f} s; a stranger's", end="")
        assert not Watch.wait(lambda: "a stranger's" in first.silences() | second.silences(), SECONDS)
        assert (first.members(), second.members(), stranger.members()) == (2, 2, 1)
        assert stranger.silences() == {"a stranger's"}, "nor is it told anything"
        print(f" not within {SECONDS} s", end="")


def test_without_certificates_a_stranger_would_silence_everything(tmp_path: Path) -> None:
    """What the test above waits for does happen where there are no certificates, and much sooner."""
    replica = Replica(tmp_path / "replica", PORTS[0], PORTS[:1])
    stranger = Replica(tmp_path / "stranger", PORTS[2], PORTS)
    with ended(replica, stranger):
        replica.start([])
        stranger.start([])
        stranger.silence("a stranger's")
        began = time.monotonic()
        assert Watch.wait(lambda: "a stranger's" in replica.silences(), SECONDS)
        print(f"\nafter {time.monotonic() - began:.1f} s", end="")


def test_one_alone_does_not_gossip(tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    flags = gossip_flags(run("staging", tmp_path / "charts"), tmp_path / "secret")
    replica = Replica(tmp_path / "replica", PORTS[0], [])
    with ended(replica):
        replica.start(flags)
        assert replica.get("status")["cluster"]["status"] == "disabled"
        assert not (tmp_path / "secret").exists()


def test_a_renewed_certificate_needs_no_restart(
    production: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    flags = gossip_flags(production, secret)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=20)
    monkeypatch.setattr(gossip, "certificate_until", lambda: until)
    seed = "of the replicas"
    write(gossip.files(seed), secret)
    first, second, late = (Replica(tmp_path / f"replica-{port}", port, PORTS) for port in PORTS)
    with ended(first, second, late):
        first.start(flags)
        second.start(flags)
        assert Watch.wait(lambda: first.members() == second.members() == 2, SECONDS)
        first.silence("of before")
        monkeypatch.undo()
        write(gossip.files(seed), secret)
        time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds() + 1))
        assert shown(PORTS[0] + 1, secret).not_valid_after_utc == gossip.certificate_until() > until
        late.start(flags)
        assert Watch.wait(lambda: late.silences() == {"of before"}, SECONDS), late.log.read_text()
        late.silence("of after")
        for replica in (first, second):
            assert Watch.wait(partial(replica.has, {"of before", "of after"}), SECONDS), replica.silences()
            assert replica.members() == 3


def shown(port: int, secret: Path) -> x509.Certificate:
    """Return the certificate that a replica shows to another one."""
    context = ssl.create_default_context(cafile=str(secret / "ca.crt"))
    context.load_cert_chain(secret / "tls.crt", secret / "tls.key")
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
        context.wrap_socket(connection, server_hostname="alertmanager") as peer,
    ):
        return x509.load_der_x509_certificate(peer.getpeercert(binary_form=True) or b"")
