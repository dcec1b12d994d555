"""The secrets of a stack, each declared once: its key, what it is for, and which stacks need it."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import pulumi
from pydantic.alias_generators import to_camel

from .errors import PROJECT

if TYPE_CHECKING:
    from . import Settings

# In characters; in bytes, of which bcrypt reads no more; in characters.
_LEAST_PASSWORD, _MOST_PASSWORD, _LEAST_SEED = 8, 72, 16
_DSN = re.compile(r"https://[^@/\s]+@[^@/\s]+/(\S+/)?\d+")


def _dsn(value: str) -> str | None:
    # Sentry's SDK would refuse it when the application starts.
    if _DSN.fullmatch(value):
        return None
    return "no DSN. Allowed is https://<key>@<host>/<number>, as Sentry's project settings show it"


def _password(value: str) -> str | None:
    # bcrypt would refuse it too, in the middle of an update.
    size = len(value.encode())
    if len(value) >= _LEAST_PASSWORD and size <= _MOST_PASSWORD and "\0" not in value:
        return None
    allowed = f"{_LEAST_PASSWORD} characters or more, {_MOST_PASSWORD} bytes or less, none of them NUL"
    return f"found {len(value)} characters, {size} bytes. Allowed are {allowed}"


def _seed(value: str) -> str | None:
    if len(value) < _LEAST_SEED:
        return f"found {len(value)} characters. Allowed are {_LEAST_SEED} or more, advised are 32 random ones"
    return None


def _secret(
    purpose: str,
    *,
    needed: Callable[[Settings], bool] = lambda _: True,
    optional: bool = False,
    wrong: Callable[[str], str | None] = lambda _: None,
) -> Mapping[str, Any]:
    """Return the declaration of a secret.

    Args:
        purpose: what it is for.
        needed: whether a stack of these settings needs it, where not all do; in others it is ignored.
        optional: it is never asked for, and read where it is set.
        wrong: returns what is wrong with a value and what is allowed, without the value, or None.
    """
    return {"purpose": purpose, "needed": needed, "optional": optional, "wrong": wrong}


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The secrets, as Outputs that Pulumi keeps encrypted; None where the settings need none.

    The key of a secret is its name here in camel case.
    """

    smtp_auth_password: pulumi.Output[str] = field(metadata=_secret("password of the mail relay"))
    slack_api_url: pulumi.Output[str] = field(
        metadata=_secret("incoming webhook of the Slack channel for critical alerts")
    )
    grafana_admin_password: pulumi.Output[str] = field(metadata=_secret("password of Grafana's user admin"))
    grafana_client_secret: pulumi.Output[str] | None = field(
        metadata=_secret(
            "secret of grafana.singleSignOn.clientId at the provider",
            needed=lambda settings: settings.grafana.single_sign_on is not None,
        )
    )
    web_password: pulumi.Output[str] | None = field(
        metadata=_secret(
            "password of the user monitoring in front of Prometheus and Alertmanager",
            needed=lambda settings: settings.exposure.authentication,
            wrong=_password,
        )
    )
    kibana_password: pulumi.Output[str] = field(
        metadata=_secret("password of the user monitoring, who reads the logs in Kibana", wrong=_password)
    )
    remote_write_password: pulumi.Output[str] | None = field(
        metadata=_secret(
            "password of prometheus.remoteWrite.username at the long-term store",
            needed=lambda settings: bool(
                settings.prometheus.remote_write and settings.prometheus.remote_write.username
            ),
        )
    )
    backup_password: pulumi.Output[str] | None = field(
        metadata=_secret(
            "password of the backups, without which nobody reads them: keep a copy outside this stack",
            needed=lambda settings: settings.aws is not None,
        )
    )
    heartbeat_url: pulumi.Output[str] | None = field(
        metadata=_secret(
            "address that expects a call a minute, and raises the alarm when none comes",
            needed=lambda settings: settings.alertmanager.heartbeat,
        )
    )
    sentry_dsn: pulumi.Output[str] | None = field(
        metadata=_secret(
            "DSN of the application's Sentry project; without it no exception goes there", optional=True, wrong=_dsn
        )
    )
    internal_seed: pulumi.Output[str] = field(
        metadata=_secret(
            "random text of 32 characters or more, from which passwords between programs are derived", wrong=_seed
        )
    )

    def known_after(self, urn: pulumi.Output[str]) -> Secrets:
        """Return the same secrets, which are known once the engine has registered the resource with this URN."""
        given = {declared.name: getattr(self, declared.name) for declared in fields(self)}
        after = {name: pulumi.Output.all(value, urn)[0] for name, value in given.items() if value is not None}
        return replace(self, **after)

    def derive(self, purpose: str) -> pulumi.Output[str]:
        """Return a password between programs: it differs by purpose, and is the same in each run.

        Args:
            purpose: who logs in where, such as `grafana@mangakai-logs`.
        """
        return self.internal_seed.apply(
            lambda seed: hmac.new(seed.encode(), purpose.encode(), hashlib.sha256).hexdigest()
        )


_DECLARED = {to_camel(declared.name): declared for declared in fields(Secrets)}
PURPOSES: Mapping[str, str] = {key: declared.metadata["purpose"] for key, declared in _DECLARED.items()}


def problems(stack: str, values: Mapping[str, str], settings: Settings) -> list[str]:
    """Return one line for each secret that is missing, malformed, or lies unencrypted in the stack's file.

    Args:
        stack: the stack's name.
        values: the stack's configuration, by key.
        settings: the stack's, or the defaults where they are wrong.
    """
    found = []
    for key, declared in _DECLARED.items():
        command = f"pulumi config set --stack {stack} --secret {key}"
        if not values.get(key):
            if not declared.metadata["optional"] and declared.metadata["needed"](settings):
                found.append(f"{key}: missing ({PURPOSES[key]}). Set it: {command}")
        elif not pulumi.runtime.is_config_secret(f"{PROJECT}:{key}"):
            found.append(
                f"{key}: stored in clear text in Pulumi.{stack}.yaml. Change it at its source, then: {command}"
            )
        elif declared.metadata["needed"](settings) and (wrong := declared.metadata["wrong"](values[key])):
            found.append(f"{key}: {wrong}. Set it: {command}")
    return found


def read(settings: Settings) -> Secrets:
    """Return the secrets that these settings need; `problems` has said that all are there."""
    config = pulumi.Config(PROJECT)
    values: dict[str, Any] = {
        declared.name: config.get_secret(key) if declared.metadata["needed"](settings) else None
        for key, declared in _DECLARED.items()
    }
    return Secrets(**values)
