"""Names outside a live cluster: what its DNS leads to the pod `internet` is what that answers as."""

import json
import re
import smtplib
import socket
import ssl
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from components.settings import read_file
from sandbox import authority
from sandbox.authority import Authority
from sandbox.internet import SUBMISSION_PORT
from sandbox.internet import __main__ as program
from sandbox.layout import Sandbox, ports_from
from sandbox.live import certificates, internet
from sandbox.live.certificates import INTERNET_NAMES
from sandbox.live.cluster import MANIFESTS
from sandbox.live.layout import INTERNET_SERVICE
from sandbox.session import SECRETS
from tests.offline import ROOT


def corefile() -> str:
    documents = yaml.safe_load_all((MANIFESTS / "dns.yaml").read_text())
    (found,) = [each["data"]["Corefile"] for each in documents if each["kind"] == "ConfigMap"]
    return str(found)


def test_each_name_that_it_answers_as_leads_to_it() -> None:
    zones = re.findall(r"template IN (\w+) (.+) \{", corefile())
    assert [kind for kind, _ in zones] == ["A", "AAAA"]
    assert len({names for _, names in zones}) == 1
    led = zones[0][1].split()
    assert [name for name in INTERNET_NAMES if not any(f".{name}".endswith(f".{zone}") for zone in led)] == []
    assert f'"{{{{ .Name }}}} 5 IN A {INTERNET_SERVICE}"' in corefile()
    services = [each for each in internet.manifests(Sandbox(Path("/s"), ports_from(1))) if each["kind"] == "Service"]
    assert [each["spec"]["clusterIP"] for each in services] == [INTERNET_SERVICE]


def test_what_production_asks_for_outside_is_there() -> None:
    settings = read_file(ROOT / "Pulumi.prod.yaml")
    region = settings.cluster.region
    assert f"*.{region}.amazonaws.com" in INTERNET_NAMES
    assert f"*.s3.dualstack.{region}.amazonaws.com" in INTERNET_NAMES
    assert settings.alertmanager.smtp.smarthost == f"smtp.gmail.com:{SUBMISSION_PORT}"
    assert settings.aws is not None
    assert settings.aws.account_id == internet.ACCOUNT
    hosts = [SECRETS[name].split("/")[2] for name in ("slackApiUrl", "heartbeatUrl")]
    assert {*hosts, "smtp.gmail.com"} <= set(INTERNET_NAMES)


def test_its_certificate_is_signed_by_whom_images_trust(tmp_path: Path) -> None:
    certificates.write(tmp_path / "certificates")
    of_images = authority.of_images().certificate
    own = Authority.read(tmp_path / "certificates").certificate
    leaf = x509.load_pem_x509_certificate((tmp_path / "certificates" / "internet.crt").read_bytes())
    leaf.verify_directly_issued_by(of_images)
    assert own.subject != of_images.subject


def test_the_mail_relay_takes_mails_by_tls_and_login_without_looking_any_name_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unanswered(_name: str = "") -> str:
        raise AssertionError("a name is looked up, where no name server answers")

    folder = tmp_path / "certificates"
    certificates.write(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "internet.crt", folder / "internet.key")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(program, "EVERYWHERE", "127.0.0.1")
    monkeypatch.setattr(program, "SUBMISSION_PORT", port)
    monkeypatch.setattr(socket, "getfqdn", unanswered)
    program.Relay(tls)
    trusted = ssl.create_default_context(cadata=authority.of_images().pem.decode())
    trusted.check_hostname = False  # It is called localhost here.
    with smtplib.SMTP("localhost", port, local_hostname="client", timeout=10) as client:
        client.starttls(context=trusted)
        client.login("alerts", "password")
        client.sendmail("a@example.com", ["b@example.com"], "Subject: S\r\n\r\ntext\r\n")
    told = json.loads(capsys.readouterr().out)
    assert told == {"mail": "S", "to": "b@example.com", "text": "text\n", "login": ["alerts", "password"]}
