"""The documentation names what there is, and nothing else."""

import json
import re
from collections.abc import Iterator
from typing import get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from components.settings import Settings, read_file, secrets
from components.settings.logs import LogsSettings
from components.settings.types import Resources, to_bytes
from tests.catalogue.saved_objects import BOARD, FIELDS, ITEMS, kql_uses
from tests.offline import ROOT


def leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = (*path, field.alias or name)
        candidates = (field.annotation, *get_args(field.annotation))
        inner = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if inner is None or inner is Resources:
            yield ".".join(key)
        else:
            yield from leaves(inner, (*key, "<alert>") if get_origin(field.annotation) is dict else key)


def test_every_setting_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    documented = re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)
    assert documented == [*leaves(Settings), *secrets.PURPOSES]


def test_of_every_secret_it_is_said_what_a_thief_can_do_and_what_ends_it() -> None:
    text = (ROOT / "docs" / "leaked-secrets.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE) == [*secrets.PURPOSES]


def test_every_verb_is_in_the_readme() -> None:
    verbs = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    readme = (ROOT / "README.md").read_text()
    assert [verb for verb in verbs if f"make {verb}" not in readme] == []


OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def gib_a_day(logs: LogsSettings) -> float:
    nodes = logs.elasticsearch.nodes
    copies = min(2, nodes)
    return nodes * to_bytes(logs.elasticsearch.storage) / 2**30 * 0.85 / copies / (logs.retention_days + 1)


@pytest.mark.parametrize("stack", ["prod", "staging"])
def test_the_logs_hold_what_the_page_says(stack: str) -> None:
    logs = read_file(ROOT / f"Pulumi.{stack}.yaml").logs
    (row,) = re.findall(rf"^\| {stack} \| (.*) \|$", OPERATIONS, flags=re.MULTILINE)
    size, copies, days, gib, lines = row.split(" | ")
    assert re.findall(r"\d+", size) == [str(logs.elasticsearch.nodes), logs.elasticsearch.storage.removesuffix("Gi")]
    assert int(copies) == min(2, logs.elasticsearch.nodes)
    assert days == f"{logs.retention_days} + 1"
    assert float(gib) == pytest.approx(gib_a_day(logs), abs=0.05)
    assert int(lines) == pytest.approx(gib_a_day(logs) * 2**30 / 500 / 86400, abs=5)


def test_the_settings_for_ten_times_as_much_hold_it() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", OPERATIONS, flags=re.DOTALL)
    ((key, value),) = yaml.safe_load(block).items()
    assert key == "mangakai-monitoring:logs"
    value["elasticsearch"]["version"] = "9.5.3"
    ten_times = LogsSettings.model_validate_json(json.dumps(value))
    assert gib_a_day(ten_times) == pytest.approx(10 * gib_a_day(LogsSettings()))


def test_the_way_to_a_failed_request_names_what_there_is() -> None:
    dashboards = re.findall(r"/app/dashboards#/view/([\w-]+)", OPERATIONS)
    assert dashboards == [BOARD]
    (board,) = (item["attributes"] for item in ITEMS if item["id"] == BOARD)
    panels = {panel["embeddableConfig"]["title"] for panel in board["panelsJSON"]}
    assert "Recent Errors" in panels
    assert "panel **Recent Errors**" in OPERATIONS
    queries = re.findall(r"`([^`\n]*(?:tags|service\.name|trace\.id)[:][^`\n]*)`", OPERATIONS)
    used = {name for query in queries for name, _ in kql_uses(query)}
    assert used == {"trace.id", "service.name", "log.logger", "tags", "http.response.status_code"}
    assert used <= FIELDS.keys()


def test_the_traces_hold_what_the_page_says() -> None:
    traces = read_file(ROOT / "Pulumi.prod.yaml").traces
    size = traces.elasticsearch.nodes * to_bytes(traces.elasticsearch.storage) / 2**30
    gib = size * 0.85 / 2 / (traces.retention_days + 1)
    assert f"take {gib:.1f} GiB a day, or\n{gib * 2**30 / 500 / 86400 // 10 * 10:.0f} spans a second" in OPERATIONS
