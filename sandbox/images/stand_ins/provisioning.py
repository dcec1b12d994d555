"""What the stand-in for Grafana loads: dashboards, and datasources, each of which it can ask whether it works."""

import base64
import json
import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .web import say

# What Grafana asks to see whether a datasource works; of Elasticsearch, what a panel asks: its login may read an index.
_CHECKS = {
    "alertmanager": "api/v2/status",
    "elasticsearch": "{index}/_search?size=0",
    "jaeger": "api/services",
    "prometheus": "api/v1/query?query=1%2B1",
}
_VARIABLE = re.compile(r"\$\$|\$__file{([^}]+)}|\$(?:__env)?{(\w+)}|\$(\w+)")


class ProvisioningError(Exception):
    """A provisioning file that Grafana refuses."""


@dataclass(frozen=True)
class Datasource:
    """A datasource as its file has it, with everything filled in."""

    model: Mapping[str, Any]

    @property
    def uid(self) -> str:
        """The name that dashboards use."""
        return str(self.model.get("uid") or self.model["name"])

    def public(self) -> dict[str, Any]:
        """Return what the API tells: no secret."""
        return {key: value for key, value in self.model.items() if key != "secureJsonData"} | {"uid": self.uid}

    def check(self) -> str:
        """Ask whether it works, with its login and authority, and return what is wrong, if anything."""
        model, secret = self.model, self.model.get("secureJsonData", {})
        path = _CHECKS[model["type"]].format(**{"index": "", **model.get("jsonData", {})})
        request = urllib.request.Request(f"{model['url'].rstrip('/')}/{path}")  # noqa: S310
        if model.get("basicAuth"):
            login = f"{model.get('basicAuthUser', '')}:{secret.get('basicAuthPassword', '')}"
            request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if model.get("jsonData", {}).get("tlsAuthWithCACert"):
                tls.load_verify_locations(cadata=secret.get("tlsCACert", ""))
            urllib.request.urlopen(request, timeout=10, context=tls).close()  # noqa: S310
        except urllib.error.HTTPError as error:
            return f"{request.full_url} answers {error.code}: {error.read().decode(errors='replace')[:300]}"
        except (OSError, ValueError) as error:
            return f"{request.full_url}: {error}"
        return ""


def datasources(folder: Path) -> dict[str, Datasource]:
    """Return the datasources of all files of a folder by uid.

    Raises:
        ProvisioningError: a file is wrong, or says what cannot be.
    """
    found: dict[str, Datasource] = {}
    for file, entry in _entries(folder, "datasources"):
        if missing := [key for key in ("name", "type", "access") if not entry.get(key)]:
            raise ProvisioningError(f"{file}: a datasource without {', '.join(missing)}")
        try:
            one = Datasource(_filled(entry))
        except OSError as error:
            raise ProvisioningError(f"{file}: failed to interpolate a value: {error}") from None
        if one.uid in found:
            raise ProvisioningError(f"{file}: more than one datasource has the uid {one.uid}")
        found[one.uid] = one
    if sum(bool(one.model.get("isDefault")) for one in found.values()) > 1:
        raise ProvisioningError("Only one datasource per organization can be marked as default")
    return found


def dashboards(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the dashboards of all providers by uid, without files that are wrong; none where two have one uid.

    Raises:
        ProvisioningError: the file of a provider is wrong.
    """
    found: dict[str, dict[str, Any]] = {}
    for provider, entry in _entries(folder, "providers"):
        try:
            files = sorted(Path(entry["options"]["path"]).rglob("*.json"))
        except (KeyError, TypeError):
            raise ProvisioningError(f"{provider}: a provider without a path") from None
        for file in files:
            try:
                dashboard = json.loads(file.read_text())
                uid = str(dashboard["uid"] if dashboard["title"] else "")
            except (OSError, ValueError, KeyError, TypeError) as error:
                say(f"failed to load dashboard from {file}: {error!r}")
                continue
            if uid in found:
                say(f"the same UID is used more than once: {uid}, again in {file}: none is loaded")
                return {}
            if re.fullmatch(r"[\w-]{1,40}", uid):
                found[uid] = dashboard
            else:
                say(f"failed to load dashboard from {file}: no title, or no uid of at most 40 letters: {uid!r}")
    return found


def _entries(folder: Path, key: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            document = yaml.safe_load(file.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ProvisioningError(f"{file}: {error}") from None
        if not isinstance(document, dict):
            raise ProvisioningError(f"{file}: no mapping")
        for entry in document.get(key) or []:
            yield file, entry


def _filled(value: Any) -> Any:
    """Return a value with $NAME, ${NAME} and $__file{path} filled in, as deep as they lie; $$ is a $."""
    if isinstance(value, dict):
        return {key: _filled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one) for one in value]
    return _VARIABLE.sub(_meant, value) if isinstance(value, str) else value


def _meant(match: re.Match[str]) -> str:
    file, braced, bare = match.groups()
    if match[0] == "$$":
        return "$"
    return Path(file).read_text().strip() if file else os.environ.get(braced or bare, "")
