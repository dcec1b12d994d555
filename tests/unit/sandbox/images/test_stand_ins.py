"""The stand-ins that are written in Python: what they take, what they refuse, and how they answer."""

import base64
import configparser
import json
import tempfile
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.grafana.grafana import dashboards
from sandbox.images.stand_ins import kibana, plugins, provisioning, sidecar
from sandbox.images.stand_ins.grafana import Database, Grafana
from sandbox.images.stand_ins.provisioning import ProvisioningError
from sandbox.images.stand_ins.web import Answer, Request

PROMETHEUS = {"name": "Prometheus", "type": "prometheus", "access": "proxy", "url": "http://prometheus"}


def request(method: str, path: str, login: str = "", body: bytes = b"", **headers: str) -> Request:
    message = Message()
    message["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}" if login else ""
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return Request(method, path, message, body)


def provisioned(folder: Path, document: object) -> dict[str, provisioning.Datasource]:
    (folder / "all.yaml").write_text(yaml.safe_dump(document))
    return provisioning.datasources(folder)


def test_variables_and_files_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "$x{y}")
    (tmp_path / "ca.crt").write_text("PEM\n")
    secret = {"basicAuthPassword": "$PASSWORD", "tlsCACert": f"$__file{{{tmp_path}/ca.crt}}"}
    entry = {**PROMETHEUS, "jsonData": {"query": ["$${__trace.traceId}", "${NONE}"]}, "secureJsonData": secret}
    found = provisioned(tmp_path, {"datasources": [entry]})["Prometheus"]
    assert found.model["secureJsonData"] == {"basicAuthPassword": "$x{y}", "tlsCACert": "PEM"}
    assert found.public() == {**PROMETHEUS, "uid": "Prometheus", "jsonData": {"query": ["${__trace.traceId}", ""]}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], r"all\.yaml: no mapping"),
        ({"datasources": [{"name": "Prometheus"}]}, "a datasource without type, access"),
        ({"datasources": [PROMETHEUS, PROMETHEUS]}, "more than one datasource has the uid Prometheus"),
        ({"datasources": [{**PROMETHEUS, "uid": uid, "isDefault": True} for uid in "ab"]}, "Only one datasource"),
        ({"datasources": [{**PROMETHEUS, "url": "$__file{/none}"}]}, "failed to interpolate a value"),
    ],
)
def test_grafana_refuses_wrong_datasources(document: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ProvisioningError, match=message):
        provisioned(tmp_path, document)


@pytest.fixture
def grafana(tmp_path: Path) -> Grafana:
    for name in ("datasources", "dashboards", "files"):
        (tmp_path / name).mkdir()
    provider = {"providers": [{"name": "all", "options": {"path": str(tmp_path / "files")}}]}
    (tmp_path / "dashboards" / "all.yaml").write_text(yaml.safe_dump(provider))
    (tmp_path / "datasources" / "all.yaml").write_text(yaml.safe_dump({"datasources": [PROMETHEUS]}))
    return Grafana(Database(tmp_path / "grafana.db", "admin", "first"), tmp_path, "1")


def search(grafana: Grafana) -> set[str]:
    answer = grafana.respond(request("POST", "/api/admin/provisioning/dashboards/reload", "admin:first"))
    assert answer.status == 200
    content: Any = grafana.respond(request("GET", "/api/search", "admin:first")).content
    return {found["title"] for found in content}


def test_grafana_shows_each_dashboard_that_is_right(
    grafana: Grafana, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = dashboards()
    for name, text in shipped.items():
        (tmp_path / "files" / name).write_text(text)
    titles = {json.loads(text)["title"] for text in shipped.values()}
    assert search(grafana) == titles
    for name, text in {"a.json": "{", "b.json": '{"uid": "b"}', "c.json": '{"uid": "a b", "title": "c"}'}.items():
        (tmp_path / "files" / name).write_text(text)
    assert search(grafana) == titles
    assert capsys.readouterr().out.count("failed to load dashboard") == 3
    (tmp_path / "files" / "copy.json").write_text(next(iter(shipped.values())))
    assert search(grafana) == titles
    assert "the same UID is used more than once" in capsys.readouterr().out


def test_grafana_keeps_the_first_password_and_counts_what_it_answers(grafana: Grafana, tmp_path: Path) -> None:
    Database(tmp_path / "grafana.db", "admin", "second")
    for login, status in {"": 401, "admin:second": 401, "admin:first": 200}.items():
        assert grafana.respond(request("GET", "/api/datasources", login)).status == status
    metrics = grafana.respond(request("GET", "/metrics")).content
    assert isinstance(metrics, bytes)
    assert 'status_code="401",status_source="server"} 2\n' in metrics.decode()


def health(grafana: Grafana) -> int:
    return grafana.respond(request("GET", "/api/datasources/uid/Prometheus/health", "admin:first")).status


def test_grafana_loses_its_datasources_where_an_installer_may_replace_their_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    off = "[plugins]\npreinstall_disabled = true\n"
    ini = configparser.ConfigParser()
    for text in ("", "[plugins]\npreinstall_auto_update = false\n"):
        ini.read_string(text)
        assert "grafana.com does not answer" in plugins.lost(ini)
    ini.read_string(off)
    assert plugins.lost(ini) == ""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not-mounted"))
    assert "no socket" in plugins.lost(ini)


def test_a_datasource_without_its_plugin_is_told(grafana: Grafana, tmp_path: Path) -> None:
    assert health(grafana) == 400  # nobody is there
    assert health(Grafana(Database(tmp_path / "grafana.db", "admin", "first"), tmp_path, "1", "why")) == 404


def test_the_sidecar_needs_a_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert sidecar.main(dict.fromkeys(sidecar.WANTED, "x") | {"FOLDER": str(tmp_path)}) == 1
    assert "No usable temporary directory" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"LABEL": ""}, "Should have added LABEL"),
        ({"SCRIPT": "/x"}, "not in this stand-in: SCRIPT"),
        ({}, "cannot follow ConfigMaps: KeyError: 'KUBERNETES_SERVICE_HOST'"),
    ],
)
def test_the_sidecar_refuses_an_environment(
    change: dict[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = dict.fromkeys(sidecar.WANTED, "x") | {"FOLDER": str(tmp_path)} | change
    assert sidecar.main(environment) == 1
    assert message in capsys.readouterr().out


class Elasticsearch(kibana.Elasticsearch):
    """Takes whoever has a login, and every object."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []
        self.made: dict[str, dict[str, Any]] = {}

    def has(self, id_: str) -> bool:
        return id_ in self.made

    def create(self, one: dict[str, Any]) -> bool:
        id_ = f"{one['type']}:{one['id']}"
        return self.made.setdefault(id_, one) is one

    def ask(self, *_: object, **__: object) -> tuple[int, dict[str, Any]]:
        return 200, {}

    def put(self, objects: list[dict[str, Any]]) -> None:
        self.kept += objects


def imported(
    elasticsearch: Elasticsearch, *objects: Mapping[str, Any], login: str = "elastic:x", of_space: str = ""
) -> Answer:
    head = 'Content-Disposition: form-data; name="file"; filename="a.ndjson"\r\n\r\n'
    part = head + "\n".join(map(json.dumps, objects))
    form = {"Content_Type": "multipart/form-data; boundary=b", "kbn_xsrf": "x"}
    path, body = f"{of_space}/api/saved_objects/_import", f"--b\r\n{part}\r\n--b--\r\n".encode()
    return kibana.Kibana(elasticsearch).respond(request("POST", path, login, body, **form))


def test_kibana_imports_all_or_says_what_is_wrong() -> None:
    elasticsearch = Elasticsearch()
    view = {"type": "index-pattern", "id": "v", "attributes": {}}
    search = {"type": "search", "id": "s", "references": [{"type": "index-pattern", "id": "v", "name": "x"}]}
    content: Any = imported(elasticsearch, view, search).content
    assert (content["success"], content["successCount"]) == (True, 2)
    assert elasticsearch.kept == [{**view, "space": "default"}, {**search, "space": "default"}]
    content = imported(elasticsearch, search, {"type": "nonsense", "id": "n"}).content
    wrong = {(error["id"], error["error"]["type"]) for error in content["errors"]}
    assert wrong == {("s", "missing_references"), ("n", "unsupported_type")}
    assert imported(elasticsearch, view, login="").status == 401
    assert len(elasticsearch.kept) == 2


def test_kibana_keeps_what_is_of_a_space_apart() -> None:
    elasticsearch = Elasticsearch()
    view = {"type": "index-pattern", "id": "v", "attributes": {}}

    def called(path: str, **body: str) -> Answer:
        text = json.dumps(body).encode()
        return kibana.Kibana(elasticsearch).respond(request("POST", path, "elastic:x", text, kbn_xsrf="x"))

    assert imported(elasticsearch, view, of_space="/s/team").status == 404
    assert [called("/api/spaces/space", id="team", name="Team").status for _ in range(2)] == [200, 409]
    content: Any = imported(elasticsearch, view, of_space="/s/team").content
    assert content["successResults"] == [{"type": "index-pattern", "id": "v", "destinationId": "v-team"}]
    assert elasticsearch.kept == [{**view, "id": "v-team", "space": "team"}]
    for of_space, space in (("", "default"), ("/s/team", "team")):
        assert called(f"{of_space}/api/data_views/default", data_view_id=f"of {space}").status == 200
        assert elasticsearch.made[f"config:{space}"]["attributes"] == {"defaultIndex": f"of {space}"}
