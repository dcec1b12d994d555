"""Gossip: what Alertmanager's replicas tell each other on port 9094, silences among it, and nobody else may say.

Each shows the others a certificate of an authority of their own. The certificate is read anew for each connection, so
that a renewed one needs no restart; the authority and `tls-config.yml` are read once, at the start
(`ConfigToTLSConfig` in web/tls_config.go of prometheus/exporter-toolkit 0.17.1, `NewTLSTransport` in
cluster/tls_transport.go of Alertmanager 0.34.0).
"""

from datetime import UTC, datetime

import yaml

from ..foundation.certificate import derived, renewed_each_year

SECRET = "alertmanager-gossip"
FOLDER = "/etc/alertmanager-gossip"

# Replicas know each other by address, which no certificate could name before there is a pod.
_HOST = "alertmanager"
_TLS_CONFIG = "tls-config.yml"
_PAIR = {"cert_file": "tls.crt", "key_file": "tls.key"}


def certificate_until() -> datetime:
    """Return the end of the certificate that this run makes."""
    return renewed_each_year(datetime.now(UTC))


def files(seed: str) -> dict[str, str]:
    """Return what a replica reads, by name in `FOLDER`.

    Args:
        seed: the secret that the replicas share, and nobody else has.
    """
    tls_config = {
        "tls_server_config": {**_PAIR, "client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.crt"},
        "tls_client_config": {**_PAIR, "ca_file": "ca.crt", "server_name": _HOST},
    }
    return {_TLS_CONFIG: yaml.safe_dump(tls_config, sort_keys=False), **derived(seed, _HOST, certificate_until())}


def flags(replicas: int) -> dict[str, str]:
    """Return the flags of Alertmanager. One alone listens on port 9094 too, unless it is told not to."""
    return {"cluster.tls-config": f"{FOLDER}/{_TLS_CONFIG}"} if replicas > 1 else {"cluster.listen-address": ""}
