"""The certificates of a live cluster: an authority of its own, and kubeconfigs of those that ask the API server."""

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.api_server import write_kubeconfig
from sandbox.live.layout import API_PORT, API_SERVICE, NODE, NODE_ADDRESS

VALID = datetime.timedelta(days=365)
API_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    API_SERVICE,
    NODE_ADDRESS,
)
# File, common name, organisation, names and addresses that a server answers by:
# https://kubernetes.io/docs/setup/best-practices/certificates/.
LEAVES: Sequence[tuple[str, str, str, Sequence[str]]] = (
    ("apiserver", "kube-apiserver", "", API_NAMES),
    ("kubelet", f"system:node:{NODE}", "system:nodes", (NODE, NODE_ADDRESS, "127.0.0.1")),
    ("admin", "admin", "system:masters", ()),
    ("kubelet-client", "apiserver-kubelet-client", "system:masters", ()),
    ("controller-manager", "system:kube-controller-manager", "", ()),
    ("scheduler", "system:kube-scheduler", "", ()),
    ("kube-proxy", "system:kube-proxy", "", ()),
    ("front-proxy", "front-proxy-client", "", ()),
)
# Those that speak to the API server, from within.
CLIENTS = ("admin", "kubelet", "controller-manager", "scheduler", "kube-proxy")


def write(folder: Path) -> None:
    """Write into a folder: the authority `ca`, a pair for each of LEAVES, the key pair `sa`, `<client>.kubeconfig`s."""
    folder.mkdir(parents=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("mangakai-sandbox-live", "")
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    authority = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_key(folder / "ca.key", key)
    (folder / "ca.crt").write_bytes(_pem(authority))
    for file, common_name, organisation, names in LEAVES:
        own = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name, organisation), name, own.public_key()).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), False)
        _write_key(folder / f"{file}.key", own)
        (folder / f"{file}.crt").write_bytes(_pem(builder.sign(key, hashes.SHA256())))
    tokens = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write_key(folder / "sa.key", tokens)
    public = tokens.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "sa.pub").write_bytes(public)
    for client in CLIENTS:
        write_kubeconfig(folder, client, f"https://127.0.0.1:{API_PORT}", folder / f"{client}.kubeconfig")


def _builder(subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + VALID)
    )


def _name(common_name: str, organisation: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
