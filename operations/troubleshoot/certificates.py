"""Certificates near their end. Of a Secret nothing but the certificate is looked at."""

import base64
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from cryptography import x509

from components.metrics import gossip
from operations.cluster import Object

from .finding import Finding, Severity, subject

ELASTIC_SUFFIX = "-http-certs-public"
# Before its end: when to warn, and when it is critical. Elastic's operator renews a day before, and no sooner.
_LIMITS = timedelta(days=21), timedelta(days=3)
_ELASTIC_LIMITS = timedelta(hours=20), timedelta(hours=6)


def certificates(secrets: Sequence[Object], now: datetime) -> Iterator[Finding]:
    """Find certificates that end soon, or have ended."""
    for secret in secrets:
        text = base64.b64decode(secret.get("data", {}).get("tls.crt", ""))
        if not text:
            continue
        name, namespace = secret["metadata"]["name"], secret["metadata"]["namespace"]
        try:
            end = min(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(text))
        except ValueError:
            what, step = "tls.crt is no certificate", f"kubectl -n {namespace} describe secret {name}"
            yield Finding(Severity.CRITICAL, subject("certificate", secret), what, next_step=step)
            continue
        is_elastic = name.endswith(ELASTIC_SUFFIX)
        warn, critical = _ELASTIC_LIMITS if is_elastic else _LIMITS
        if end - now > warn:
            continue
        what = f"{'ended' if end < now else 'ends'} on {end:%Y-%m-%d %H:%M} UTC"
        if is_elastic:
            cause = "Elastic's operator renews it a day before its end, and does not run"
            step = f"kubectl -n {namespace} logs statefulset/elastic-operator --tail=50"
        elif name == gossip.SECRET:
            cause = "the first `pulumi up` of each year renews it, and none has run since the year before last"
            step = "pulumi up; more in docs/runbooks/certificate-ending.md"
        else:
            cause = "whoever issued it, cert-manager in most cases, does not renew it"
            step = f"kubectl -n {namespace} get certificate; kubectl -n {namespace} describe secret {name}"
        severity = Severity.CRITICAL if end - now < critical else Severity.WARNING
        yield Finding(severity, subject("certificate", secret), what, None, cause, step)
