"""The API server, asked what an apply would make of an object: nothing is changed."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.foundation import helm_records
from operations.cluster import Cluster, Missing, Unreadable

from .expected import Expected, Object, Release

# Of its own, so that what others have written is a conflict that this one wins, and nothing is taken from anybody.
_MANAGER = "mangakai-monitoring-drift"
_TIMEOUT = 30.0  # seconds


class Refused(Exception):  # noqa: N818  it is what was found, no error of ours
    """The API server would not take an object as it was made; the message is its own."""


@dataclass(frozen=True)
class _Kind:
    plural: str
    namespaced: bool


class Server(Cluster):
    """The API server of a context of the kubeconfig."""

    def __init__(self, context: str) -> None:
        super().__init__(context, _TIMEOUT)
        self._kinds: dict[str, Mapping[str, _Kind]] = {}

    def records(self, release: Release) -> tuple[Object | None, Object | None]:
        """Return what Helm keeps of the last revision of a release, and of the last that is deployed, None for none."""
        selector = helm_records.selector([release.name])
        every = self.metadata("secrets", release.namespace, labelSelector=selector)
        records = [helm_records.Record.of(one["metadata"]["labels"]) for one in every]
        deployed = [one for one in records if one.status == helm_records.DEPLOYED]
        last, good = (max(some, key=lambda one: one.revision, default=None) for some in (records, deployed))
        found = {one.secret: self._content(release, one.secret) for one in (last, good) if one}
        return found.get(last.secret) if last else None, found.get(good.secret) if good else None

    def _content(self, release: Release, secret: str) -> Object:
        return helm_records.content(self.get(f"/api/v1/namespaces/{release.namespace}/secrets/{secret}")["data"])

    def path(self, expected: Expected) -> str:
        """Return where an object lies; one that names no namespace is given its own.

        Raises:
            Missing: the API server does not know its kind.
        """
        version, kind = expected.manifest["apiVersion"], expected.manifest["kind"]
        root = f"/{'apis' if '/' in version else 'api'}/{version}"
        if root not in self._kinds:
            listed = [item for item in self.get(root)["resources"] if "/" not in item["name"]]
            self._kinds[root] = {item["kind"]: _Kind(item["name"], item["namespaced"]) for item in listed}
        if kind not in self._kinds[root]:
            raise Missing(f"the API server knows no {kind} in {version}", "see what is missing: pulumi preview --diff")
        metadata, of_kind = expected.manifest["metadata"], self._kinds[root][kind]
        namespace = ""
        if of_kind.namespaced:
            metadata["namespace"] = metadata.get("namespace") or expected.namespace
            namespace = f"/namespaces/{metadata['namespace']}"
        return f"{root}{namespace}/{of_kind.plural}/{metadata['name']}"

    def applied(self, path: str, manifest: Object) -> Object:
        """Return what an apply of `manifest` would make of the object at `path`.

        Raises:
            Refused: it would be refused.
            Unreadable: there is no answer.
        """
        status, text = self.answer(
            "PATCH",
            path,
            {"Accept": "application/json", "Content-Type": "application/apply-patch+yaml"},
            {"dryRun": "All", "fieldManager": _MANAGER, "force": "true"},
            # As it is: the API server reads YAML, which has no surrogates for what JSON escapes by two.
            json.dumps(manifest, ensure_ascii=False).encode(),
        )
        body: Any = json.loads(text)
        if status == http.client.FORBIDDEN:
            raise Unreadable(body["message"], "have the right to patch it given to you: docs/ci.md")
        if status >= http.client.BAD_REQUEST:
            raise Refused(body["message"])
        return dict(body)
