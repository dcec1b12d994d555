"""TLS certificates that the program makes itself, where there is nobody to ask for one."""

import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_VALID = timedelta(days=3650)
# Derived certificates are the same in each run, so that their dates are: another seed makes new ones.
_FROM, UNTIL = datetime(2025, 1, 1, tzinfo=UTC), datetime(2045, 1, 1, tzinfo=UTC)


def self_signed(host: str) -> dict[str, str]:
    """Return a new pair for `host`, as the PEM texts `tls.crt` and `tls.key` of a Kubernetes TLS Secret."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = _builder(host, host, key, x509.random_serial_number(), now, now + _VALID).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
    )
    return {"tls.crt": _pem(certificate.sign(key, hashes.SHA256())), "tls.key": _private(key)}


def renewed_each_year(now: datetime) -> datetime:
    """Return the end of a certificate that the first `pulumi up` of each year renews, a year before it would end."""
    return min(datetime(now.year + 2, 1, 1, tzinfo=UTC), UNTIL)


def derived(seed: str, host: str, until: datetime = UNTIL) -> dict[str, str]:
    """Return a pair for `host` and the authority that signed it: whoever has the same seed has the same authority.

    Args:
        seed: a secret of 32 bytes or more.
        host: the name of the server, or of the client.
        until: the end of the certificate. With another one the key is the same, so that whoever reads certificate and
            key one after the other, while they are replaced, has two that belong together.

    Returns:
        The PEM texts `ca.crt`, `tls.crt` and `tls.key`, the same for the same arguments.
    """
    authority, key = _derived_key(f"{seed}/authority"), _derived_key(f"{seed}/{host}")
    name = "MangakAI monitoring"
    ca = (
        _builder(name, name, authority, 1, _FROM, UNTIL)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, hashes.SHA256(), ecdsa_deterministic=True)
    )
    numbered = host if until == UNTIL else f"{host} until {until.isoformat()}"
    serial = int.from_bytes(hashlib.sha256(numbered.encode()).digest()[:8], "big") >> 1
    certificate = (
        _builder(host, name, key, serial, _FROM, until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return {"ca.crt": _pem(ca), "tls.crt": _pem(certificate), "tls.key": _private(key)}


def _derived_key(seed: str) -> ec.EllipticCurvePrivateKey:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256: a key lies below it
    return ec.derive_private_key(
        int.from_bytes(hashlib.sha512(seed.encode()).digest(), "big") % (order - 1) + 1, ec.SECP256R1()
    )


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, serial: int, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    # A common name holds 64 characters; the host is in the alternative names, where clients look.
    subject_name, issuer_name = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])]) for name in (subject, issuer)
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(since)
        .not_valid_after(until)
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
