"""What is known of Helm's records stands in one module, and is what Helm writes."""

import base64
import gzip
import json
import re
import subprocess

from components.foundation import helm_records
from components.foundation.helm_records import Record
from tests.offline import ROOT

FORM = re.compile(r"helm\.sh/v3|owner=helm|pending-(install|upgrade|rollback)|modifiedAt|gzip\.decompress")


def test_nothing_else_of_ours_knows_their_form() -> None:
    folders = ("components", "operations", "development", "__main__.py")
    names = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    knowing = [name for name in names.split() if name.endswith(".py") and FORM.search((ROOT / name).read_text())]
    assert knowing == ["components/foundation/helm_records.py"]


def test_a_selector_names_releases_and_statuses() -> None:
    assert helm_records.selector() == "owner=helm"
    assert helm_records.selector(["grafana", "prometheus"]) == "owner=helm,name in (grafana, prometheus)"
    assert helm_records.selector(["grafana"], ["deployed"]) == "owner=helm,name in (grafana),status in (deployed)"


def test_the_last_record_of_a_release_is_that_of_its_highest_revision() -> None:
    labels = [
        {"name": "grafana", "version": version, "status": status, "modifiedAt": "1767225600"}
        for version, status in {"9": "superseded", "10": "deployed", "2": "superseded"}.items()
    ]
    (last,) = helm_records.latest(map(Record.of, labels)).values()
    assert (last.release, last.revision, last.status) == ("grafana", 10, "deployed")
    assert str(last.modified) == "2026-01-01 00:00:00+00:00"
    del labels[0]["modifiedAt"]
    assert Record.of(labels[0]).modified is None


def test_the_content_is_what_helm_has_packed_and_takes_another_status() -> None:
    content = {"manifest": "kind: Service", "info": {"status": "pending-upgrade", "notes": "日本"}}
    packed = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    data = {"release": base64.b64encode(packed).decode()}
    assert helm_records.content(data) == content
    patch = helm_records.change(data, "failed", "why")
    assert patch["metadata"]["labels"].keys() == {"status", "modifiedAt"}
    changed = {"status": "failed", "notes": "日本", "description": "why"}
    assert helm_records.content(patch["data"]) == {**content, "info": changed}
