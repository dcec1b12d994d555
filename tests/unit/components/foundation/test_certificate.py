"""The certificates that the program makes itself."""

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from components.foundation.certificate import derived, self_signed

SEED = "5" * 64


def certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_derived_certificates_are_the_same_in_each_run_and_of_one_authority() -> None:
    server, client = derived(SEED, "logstash-ls-beats.monitoring.svc"), derived(SEED, "filebeat")
    assert server == derived(SEED, "logstash-ls-beats.monitoring.svc")
    assert server["ca.crt"] == client["ca.crt"]
    assert server["tls.key"] != client["tls.key"]
    for pair in (server, client):
        certificate(pair["tls.crt"]).verify_directly_issued_by(certificate(pair["ca.crt"]))


def test_another_seed_is_another_authority() -> None:
    ours, other = derived(SEED, "filebeat"), derived("6" * 64, "filebeat")
    assert ours["ca.crt"] != other["ca.crt"]
    assert ours["tls.key"] != other["tls.key"]


def test_pairs_belong_together_and_name_their_host() -> None:
    for pair, host in ((derived(SEED, "filebeat"), "filebeat"), (self_signed("a.b.svc"), "a.b.svc")):
        leaf = certificate(pair["tls.crt"])
        key = serialization.load_pem_private_key(pair["tls.key"].encode(), None)
        assert leaf.public_key() == key.public_key()
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [host]
