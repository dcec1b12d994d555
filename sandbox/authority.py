"""An authority for certificates, with its key: the sandbox has one for each cluster, and one that its images trust."""

import datetime
import functools
import ipaddress
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from operations.cache import cache

VALID = datetime.timedelta(days=3650)


@dataclass(frozen=True)
class Authority:
    """Who signs certificates: its own one and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, common_name: str) -> Self:
        """Make an authority of this name."""
        key = ec.generate_private_key(ec.SECP256R1())
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
        name = _name(common_name, "")
        certificate = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the authority that was written to a folder."""
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        return cls(
            x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()), cast("ec.EllipticCurvePrivateKey", key)
        )

    def write(self, folder: Path) -> None:
        """Write `ca.crt` and `ca.key` into a folder."""
        write_key(folder / "ca.key", self.key)
        (folder / "ca.crt").write_bytes(self.pem)

    @property
    def pem(self) -> bytes:
        """The authority's own certificate."""
        return _pem(self.certificate)

    def write_leaf(
        self, folder: Path, file: str, common_name: str, organisation: str = "", names: Sequence[str] = ()
    ) -> None:
        """Write a certificate and its key as `<file>.crt` and `<file>.key`, for a client and for a server.

        Args:
            folder: where to.
            file: name of both files.
            common_name: of whom it is.
            organisation: to which they belong, as Kubernetes' groups are written.
            names: DNS names and addresses by which a server answers.
        """
        own = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name, organisation), self.certificate.subject, own.public_key()).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), False)
        write_key(folder / f"{file}.key", own)
        (folder / f"{file}.crt").write_bytes(_pem(builder.sign(self.key, hashes.SHA256())))


@functools.cache
def of_images() -> Authority:
    """Return the authority that every image trusts; it is made once, and stays in the cache beside the images."""
    folder = cache() / "authority"
    if not folder.exists():
        work = folder.with_suffix(".work")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True, mode=0o700)
        Authority.create("mangakai-sandbox").write(work)
        work.rename(folder)
    return Authority.read(folder)


def write_key(file: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """Write a key that its owner alone may read."""
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


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
