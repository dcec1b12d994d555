"""The objects that should be on the cluster: those in Pulumi's state, and those in the manifests of its Releases."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from components.foundation import helm_records

Object = dict[str, Any]

# How the engine marks a secret in its state.
_MARK, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True)
class Expected:
    """An object as it was made; `owner` says by whom, `namespace` is where it lies if it does not say so itself."""

    owner: str
    manifest: Object
    namespace: str
    secret: bool


@dataclass(frozen=True)
class Release:
    """A Helm release of the stack, with what Pulumi has given it last."""

    name: str
    namespace: str
    version: str | None
    values: Object
    secret: bool = False

    @property
    def expected(self) -> Expected:
        """The release itself, as if it were an object."""
        manifest = self._as_object(helm_records.DEPLOYED, self.version, self.values)
        return Expected("Pulumi", manifest, self.namespace, self.secret)

    def live(self, record: Mapping[str, Any]) -> Object:
        """Return the same of a record of Helm's."""
        version = record["chart"]["metadata"]["version"] if self.version else None
        return self._as_object(record["info"]["status"], version, record.get("config") or {})

    def _as_object(self, status: str, version: str | None, values: Object) -> Object:
        return {
            "kind": "Release",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "info": {"status": status},
            "chart": {"version": version},
            "values": values,
        }


def objects(state: Mapping[str, Any]) -> Iterator[Expected]:
    """Return the Kubernetes objects that the state says are there, with their inputs."""
    for resource in _resources(state):
        inputs = resource.get("inputs", {})
        if resource["type"].startswith("kubernetes:") and "kind" in inputs:
            revealed, secret = _reveal(inputs)
            made = _reveal(resource.get("outputs", {}))[0].get("metadata") or {}
            # The engine's own.
            revealed = {key: value for key, value in revealed.items() if not key.startswith("__")}
            revealed["metadata"] = {**revealed.get("metadata", {}), "name": made.get("name")}
            hidden = secret or revealed["kind"] == "Secret"
            yield Expected("Pulumi", revealed, made.get("namespace") or "default", hidden)


def releases(state: Mapping[str, Any]) -> list[Release]:
    """Return the Releases in the state."""
    found = [one for one in _resources(state) if one["type"] == helm_records.RELEASE_TYPE]
    return [_release(_reveal(one["inputs"]), _reveal(one.get("outputs", {}))[0]) for one in found]


def _release(inputs: tuple[Any, bool], outputs: Object) -> Release:
    given, secret = inputs
    # What the chart says of itself, which the one that was asked for need not do to the letter; nothing where the
    # first install failed.
    version = (outputs.get("status") or {}).get("version")
    return Release(given["name"], given["namespace"], version, given.get("values") or {}, secret)


def manifest(release: Release, record: Mapping[str, Any]) -> Iterator[Expected]:
    """Return the objects that a release consists of.

    Args:
        release: which.
        record: what Helm keeps of it.
    """
    for document in yaml.safe_load_all(record["manifest"]):
        for item in document["items"] if document and document["kind"] == "List" else [document]:
            if item:
                yield Expected(f"Release {release.name}", item, release.namespace, item["kind"] == "Secret")


def _resources(state: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the resources that are managed; one that is read only, or to be deleted, is not."""
    every = state["deployment"].get("resources") or []
    return [one for one in every if one.get("custom") and not one.get("external") and not one.get("delete")]


def _reveal(value: Any) -> tuple[Any, bool]:
    """Return a value without the engine's marks, and whether anything in it is secret."""
    if isinstance(value, dict):
        if value.get(_MARK) == _SECRET:
            return json.loads(value["plaintext"]), True
        pairs = {key: _reveal(inner) for key, inner in value.items()}
        return {key: inner for key, (inner, _) in pairs.items()}, any(secret for _, secret in pairs.values())
    if isinstance(value, list):
        items = [_reveal(inner) for inner in value]
        return [inner for inner, _ in items], any(secret for _, secret in items)
    return value, False
