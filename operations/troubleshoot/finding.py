"""A finding: how bad it is, since when, the likely cause and the next step; and no secret in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from operations.cluster import Object


class Severity(StrEnum):
    """The worst first. UNKNOWN: it could not be looked at. INFO: no fault, but worth knowing."""

    CRITICAL = "critical"
    WARNING = "warning"
    UNKNOWN = "unknown"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """A finding of one check.

    Args:
        severity: CRITICAL where something does not work, WARNING where it works in part, or for now.
        subject: what it is about, such as "pod monitoring/prometheus-0".
        what: what is wrong with it.
        since: when it began.
        cause: the likely one.
        next_step: a command or a sentence.
        runbook: the page in docs/runbooks/, without its ending.
        lines: the last ones of a log, and events.
    """

    severity: Severity
    subject: str
    what: str
    since: datetime | None = None
    cause: str = ""
    next_step: str = ""
    runbook: str = ""
    lines: tuple[str, ...] = ()

    def scrubbed(self) -> "Finding":
        """Return the same without what has the form of a secret."""
        # In one piece: a private key is several lines.
        lines = tuple(scrub("\n".join(self.lines)).split("\n")) if self.lines else ()
        what, cause, next_step = scrub(self.what), scrub(self.cause), scrub(self.next_step)
        return replace(self, what=what, cause=cause, next_step=next_step, lines=lines)


def subject(kind: str, item: Object) -> str:
    """Return what a finding about an object is called."""
    return f"{kind} {item['metadata']['namespace']}/{item['metadata']['name']}"


def timestamp(text: str | None) -> datetime | None:
    """Return a time of the API as one that can be compared."""
    return datetime.fromisoformat(text) if text else None


def created(item: Object) -> datetime:
    """Return when an object was made."""
    return datetime.fromisoformat(item["metadata"]["creationTimestamp"])


def exit_status(findings: Sequence[Finding]) -> int:
    """Return 4 for critical, 3 for warnings, 1 where all that was found is that something could not be looked at."""
    statuses = {Severity.CRITICAL: 4, Severity.WARNING: 3, Severity.UNKNOWN: 1, Severity.INFO: 0}
    return max((statuses[finding.severity] for finding in findings), default=0)


_NAMES = r"[\w.-]*(?:passw(?:or)?d|pwd|passphrase|secret|token|api_?-?key|access_?-?key|credential|dsn)[\w.-]*"
_SECRETS = [
    (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", "***"),
    (r"^[\w+/=]{60,}$", "***"),  # a line of a key whose first line is not there any more
    (r"(://)[^\s\"']+@", r"\1***@"),
    (r"(authorization\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\"'\\\r\n]+", r"\1***"),
    (r"\b(bearer\s+)[\w.~+/=-]+", r"\1***"),
    (rf"({_NAMES}\\?[\"']?\s*[=:]\s*)(?:(\\?[\"']).*?\2|[^\s,;&\"'\\]+)", r"\1***"),
    (rf"(--{_NAMES}\s+)\S+", r"\1***"),
    (r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", "***"),  # a JSON web token
    (r"(hooks\.slack\.com/services/)\S+", r"\1***"),
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", "***"),
]


def scrub(text: str) -> str:
    """Return a text without what has the form of a secret: logs, events and answers may hold anything (D-182)."""
    for pattern, replacement in _SECRETS:
        text = re.sub(pattern, replacement, text, flags=re.IGNORECASE | re.DOTALL | re.MULTILINE)
    return text
