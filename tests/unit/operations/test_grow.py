"""`make grow`: which volumes, what it does when, and when it refuses; the cluster's part is tested on the sandbox."""

import http.server
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from components.settings import Settings
from operations.cluster import Missing
from operations.grow import GrowError, NotYetError, grow
from tests.serving import serving
from tests.unit.components.foundation.cluster_api import CONTEXT, lead_to

SETTINGS = Settings.model_validate(
    {
        "cluster": {"name": "c", "region": "r", "context": CONTEXT, "server": "https://x"},
        "alertmanager": {"storage": "20Gi"},
        "charts": {"timeoutSeconds": 10},
    }
)
STATEFUL_SETS, CLAIMS = (
    "/apis/apps/v1/namespaces/monitoring/statefulsets",
    "/api/v1/namespaces/monitoring/persistentvolumeclaims",
)
GP3 = "/apis/storage.k8s.io/v1/storageclasses/gp3"
NAMESPACE = "/api/v1/namespaces/monitoring"


def claim(name: str, size: str) -> dict[str, Any]:
    resources = {"requests": {"storage": size}}
    return {"metadata": {"name": name}, "spec": {"resources": resources}, "status": {"capacity": {"storage": size}}}


class Cluster:
    """An API server with an Alertmanager of 10Gi. `resizes` says whether its driver grows what a claim asks for."""

    def __init__(self) -> None:
        self.resizes, self.done = True, list[str]()
        template = claim("storage", "10Gi") | {"status": {}}
        template["spec"]["storageClassName"] = "gp3"
        spec = {"replicas": 3, "volumeClaimTemplates": [template], "fieldOfTomorrow": 1}
        metadata = {
            "name": "alertmanager",
            "namespace": "monitoring",
            "uid": "u",
            "labels": {"a": "b"},
            "generation": 7,
        }
        claims = [claim(f"storage-alertmanager-{number}", "10Gi") for number in range(2)]
        others = [claim("storage-grafana-0", "10Gi"), claim("storage-alertmanager-x-0", "10Gi")]
        enough = {name: {"spec": {"volumeClaimTemplates": [claim("x", "1Ti")]}} for name in ("prometheus", "grafana")}
        self.objects: dict[str, Any] = {
            **{f"{STATEFUL_SETS}/{name}": stateful_set for name, stateful_set in enough.items()},
            NAMESPACE: {"metadata": {"annotations": {"mangakai.com/owner": "mangakai-monitoring/prod"}}},
            GP3: {"provisioner": "ebs.csi.aws.com", "allowVolumeExpansion": True},
            f"{STATEFUL_SETS}/alertmanager": {"metadata": metadata, "spec": spec},
            CLAIMS: {"items": [*claims, *others]},
        }

    def patch(self, path: str, body: Any) -> Any:
        (found,) = (one for one in self.objects[CLAIMS]["items"] if path.endswith(f"/{one['metadata']['name']}"))
        size = body["spec"]["resources"]["requests"]["storage"]
        found["spec"]["resources"]["requests"]["storage"] = size
        if self.resizes:
            found["status"]["capacity"]["storage"] = size
        self.done.append(f"{found['metadata']['name']} {size}")
        return found

    def delete(self, path: str, body: Any) -> Any:
        assert (body["propagationPolicy"], body["preconditions"]) == ("Orphan", {"uid": "u"})
        self.done.append(f"deleted {path.rpartition('/')[2]}")
        return self.objects.pop(path)

    def post(self, path: str, body: Any) -> Any:
        assert path == STATEFUL_SETS
        name = f"{path}/{body['metadata']['name']}"
        assert name not in self.objects
        self.objects[name] = body
        self.done.append(f"made {body['metadata']['name']}")
        return body


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    standing_in = Cluster()

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = standing_in.objects.get(urlsplit(self.path).path)
            self.answer(found or {"code": 404, "message": "not found"})

        def do_PATCH(self) -> None:
            self.answer(standing_in.patch(self.path, self.body()))

        def do_DELETE(self) -> None:
            self.answer(standing_in.delete(self.path, self.body()))

        def do_POST(self) -> None:
            self.answer(standing_in.post(self.path, self.body()))

        def body(self) -> Any:
            return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

        def answer(self, body: Any) -> None:
            self.send_response(body.get("code", 200))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)) as port:
        lead_to(f"http://127.0.0.1:{port}", tmp_path, monkeypatch)
        yield standing_in


def grown(stack: str = "prod") -> list[str]:
    return grow(SETTINGS, stack)


CLAIMS_FIRST = ["storage-alertmanager-0 20Gi", "storage-alertmanager-1 20Gi"]


def test_claims_grow_and_then_the_stateful_set_is_made_anew_around_its_pods(cluster: Cluster) -> None:
    assert grown() == ["alertmanager.storage: the volumes of alertmanager have 20Gi now"]
    assert cluster.done == [*CLAIMS_FIRST, "deleted alertmanager", "made alertmanager"]
    made = cluster.objects[f"{STATEFUL_SETS}/alertmanager"]
    assert made["metadata"] == {"name": "alertmanager", "namespace": "monitoring", "labels": {"a": "b"}}
    assert made["spec"]["fieldOfTomorrow"] == 1
    assert made["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert grown() == [], "once more, it has nothing to do"


def test_what_an_interrupted_run_has_done_is_not_done_again(cluster: Cluster) -> None:
    cluster.patch("/storage-alertmanager-0", {"spec": {"resources": {"requests": {"storage": "20Gi"}}}})
    cluster.done.clear()
    grown()
    assert cluster.done == [CLAIMS_FIRST[1], "deleted alertmanager", "made alertmanager"]


def test_a_stateful_set_that_an_interrupted_run_did_not_make_is_told(cluster: Cluster) -> None:
    del cluster.objects[f"{STATEFUL_SETS}/alertmanager"]
    (line,) = grown()
    assert line.startswith(
        "alertmanager.storage: there is no StatefulSet alertmanager; where make grow was interrupted"
    )
    assert cluster.done == []


def test_a_claim_that_does_not_grow_keeps_its_stateful_set(cluster: Cluster) -> None:
    cluster.resizes = False
    with pytest.raises(NotYetError, match=r"^storage-alertmanager-0, storage-alertmanager-1: not of 20Gi after 10 s"):
        grown()
    assert cluster.done == CLAIMS_FIRST


def test_a_class_that_lets_none_grow_and_another_owner_change_nothing(cluster: Cluster) -> None:
    with pytest.raises(GrowError, match="namespace monitoring is of stack mangakai-monitoring/prod, and this is "):
        grown("staging")
    cluster.objects[GP3]["allowVolumeExpansion"] = False
    with pytest.raises(GrowError, match=r"alertmanager\.storage: StorageClass 'gp3' lets no volume grow"):
        grown()
    assert cluster.done == []


def test_what_the_cluster_refuses_is_told_in_its_words(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "patch", lambda *_: {"code": 403, "message": "claims are not yours"})
    with pytest.raises(GrowError, match=r"^the cluster refuses: claims are not yours$"):
        grown()
    assert cluster.done == []


def test_a_namespace_that_is_not_there_is_told(cluster: Cluster) -> None:
    del cluster.objects[NAMESPACE]
    with pytest.raises(Missing, match="the API server knows no such thing"):
        grown()
