"""The datasources of the stand-in for Grafana: their provisioning files, and how each is asked."""

import base64
import os
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

_SECONDS = 10
# What Grafana asks to see whether a datasource works; of Elasticsearch, what a panel asks: its login may read an index.
_CHECKS = {
    "alertmanager": "api/v2/status",
    "elasticsearch": "{index}/_search",
    "jaeger": "api/services",
    "prometheus": "api/v1/query",
}
_CHECK_QUERIES = {"prometheus": {"query": "1+1"}, "elasticsearch": {"size": "0"}}
_EXPANDED = re.compile(r"\$(|__\w+){([^}]+)}")
_VARIABLE = re.compile(r"\$(?:{([^}]*)}|(\w+))")


class ProvisioningError(Exception):
    """A provisioning file that Grafana refuses."""


@dataclass(frozen=True)
class Datasource:
    """A datasource as its file has it, with everything filled in."""

    model: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name, by which Grafana knows it again."""
        return str(self.model["name"])

    @property
    def uid(self) -> str:
        """The name that dashboards use."""
        return str(self.model.get("uid") or self.name)

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return str(self.model.get("url", "")).rstrip("/")

    def public(self) -> dict[str, Any]:
        """Return what the API tells: no secret."""
        shown = {key: value for key, value in self.model.items() if key != "secureJsonData"}
        fields = dict.fromkeys(self.model.get("secureJsonData", {}), True)
        return {"isDefault": False, "basicAuth": False, **shown, "uid": self.uid, "secureJsonFields": fields}

    def check(self) -> tuple[int, str]:
        """Ask whether it works. Returns as `ask` does."""
        kind = str(self.model["type"])
        index = self.model.get("jsonData", {}).get("index", "")
        return self.ask("GET", _CHECKS.get(kind, "").format(index=index), _CHECK_QUERIES.get(kind, {}))

    def ask(
        self, method: str, path: str, query: Mapping[str, str], body: bytes = b"", kind: str = ""
    ) -> tuple[int, str]:
        """Send a request with the datasource's login and authority.

        Returns:
            Status and text of the answer; 0 and the reason where there is none.
        """
        headers = {"Content-Type": kind} if body else {}
        secret: Mapping[str, str] = self.model.get("secureJsonData", {})
        if self.model.get("basicAuth"):
            login = f"{self.model.get('basicAuthUser', '')}:{secret.get('basicAuthPassword', '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        address = f"{self.url}/{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            request = urllib.request.Request(address, body or None, headers, method=method)  # noqa: S310
            with urllib.request.urlopen(request, timeout=_SECONDS, context=self._tls(secret)) as answer:  # noqa: S310
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except (OSError, ValueError) as error:
            return 0, f"{address}: {error}"

    def _tls(self, secret: Mapping[str, str]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.model.get("jsonData", {}).get("tlsAuthWithCACert"):
            context.load_verify_locations(cadata=secret.get("tlsCACert", ""))
        else:
            context.load_default_certs()
        return context


def read(folder: Path) -> dict[str, Datasource]:
    """Return the datasources of all files of a folder by name; none where there is no folder.

    Raises:
        ProvisioningError: a file is wrong, or says what cannot be.
    """
    found: dict[str, Datasource] = {}
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        for entry in parsed(file).get("datasources") or []:
            if missing := [key for key in ("name", "type", "access") if not entry.get(key)]:
                raise ProvisioningError(f"{file}: a datasource without {', '.join(missing)}")
            one = Datasource(_filled(entry, file))
            found[one.name] = one
    if sum(bool(one.model.get("isDefault")) for one in found.values()) > 1:
        raise ProvisioningError("Only one datasource per organization can be marked as default")
    uids = [one.uid for one in found.values()]
    if twice := sorted({uid for uid in uids if uids.count(uid) > 1}):
        raise ProvisioningError(f"more than one datasource has the uid {', '.join(twice)}")
    return found


def parsed(file: Path) -> dict[str, Any]:
    """Return a provisioning file, which is a mapping.

    Raises:
        ProvisioningError: it is none, or cannot be read.
    """
    try:
        document = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProvisioningError(f"{file}: {error}") from None
    if not isinstance(document, dict):
        raise ProvisioningError(f"{file}: no mapping")
    return document


def _filled(value: Any, file: Path) -> Any:
    """Return a value with each text in it expanded, as deep as it lies."""
    if isinstance(value, dict):
        return {key: _filled(one, file) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, file) for one in value]
    if isinstance(value, str):
        try:
            return expanded(value)
        except OSError as error:
            raise ProvisioningError(f"{file}: failed to interpolate value '{value}': {error}") from None
    return value


def expanded(text: str) -> str:
    """Return a text as Grafana reads it: ${NAME}, $__env{NAME}, $__file{path}, then $NAME in all of that; $$ is a $.

    Raises:
        OSError: a file cannot be read.
    """

    def first(match: re.Match[str]) -> str:
        kind, name = match.groups()
        if kind in ("", "__env"):
            return os.environ.get(name, "") or (socket.gethostname() if name == "HOSTNAME" else "")
        return Path(name).read_text().strip() if kind == "__file" else match[0]

    def then(match: re.Match[str]) -> str:
        return os.environ.get(match[1] or match[2], "")

    return "$".join(_VARIABLE.sub(then, _EXPANDED.sub(first, part)) for part in text.split("$$"))
