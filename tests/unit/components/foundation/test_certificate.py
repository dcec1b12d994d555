"""The certificates that the program makes itself."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from components.foundation.certificate import UNTIL, derived, renewed_each_year, self_signed

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


def test_a_renewed_certificate_is_another_one_of_the_same_key_and_authority() -> None:
    year = timedelta(days=365)
    before, after = (derived(SEED, "alertmanager", UNTIL - years * year) for years in (2, 1))
    assert (before["tls.key"], before["ca.crt"]) == (after["tls.key"], after["ca.crt"])
    old, new = certificate(before["tls.crt"]), certificate(after["tls.crt"])
    assert (old.not_valid_after_utc, new.not_valid_after_utc) == (UNTIL - 2 * year, UNTIL - year)
    assert old.serial_number != new.serial_number
    for leaf in (old, new):
        leaf.verify_directly_issued_by(certificate(after["ca.crt"]))


@pytest.mark.parametrize(
    ("now", "years"), [("2026-01-01T00:00:00", 2028), ("2026-12-31T23:59:59", 2028), ("2027-01-01T00:00:00", 2029)]
)
def test_the_first_update_of_a_year_renews_a_year_before_the_end(now: str, years: int) -> None:
    today = datetime.fromisoformat(now).replace(tzinfo=UTC)
    until = renewed_each_year(today)
    assert until == datetime(years, 1, 1, tzinfo=UTC)
    assert until - today > timedelta(days=365)


def test_no_certificate_outlives_its_authority() -> None:
    assert renewed_each_year(datetime(2044, 6, 1, tzinfo=UTC)) == UNTIL
    assert certificate(derived(SEED, "alertmanager")["ca.crt"]).not_valid_after_utc == UNTIL
