"""On a healthy day nothing fires but the Watchdog, at no evaluation; with faults, what is there for them does."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rules import promtool, restless_day
from tests.rules.healthy_day import Day
from tests.rules.samples import SAMPLES, STEP, Values, at, notation


def groups_by_interval() -> dict[str, list[dict[str, Any]]]:
    """Return the groups of all rules by how often Prometheus evaluates them: promtool knows one interval a file."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(promtool.RULES.glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            found.setdefault(group["interval"], []).append(group)
    return found


def differs(folder: Path, told: Mapping[str, Values], until: int, alerts: set[str]) -> str:
    """Return what promtool says unless exactly these alerts fired at any of the evaluations until a sample."""
    series = [{"series": name, "values": notation(values)} for name, values in told.items()]
    files: list[promtool.TestFile] = []
    missed = set(alerts)
    for interval, groups in groups_by_interval().items():
        rules = folder / f"{interval}.rules.json"
        rules.write_text(json.dumps({"groups": groups}))
        expected = alerts & {rule["alert"] for group in groups for rule in group["rules"]}
        missed -= expected
        fired = {
            "expr": 'group by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1d]))',
            "eval_time": f"{until * STEP}s",
            "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(expected)],
        }
        test = {"interval": f"{STEP}s", "input_series": series, "promql_expr_test": [fired]}
        files.append({"rule_files": [str(rules)], "evaluation_interval": interval, "tests": [test]})
    assert not missed, "no rule is called so"
    done = promtool.run(folder, None, files)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.usefixtures("_tools")
def test_nothing_fires_on_a_healthy_day(tmp_path: Path) -> None:
    day = Day()
    began = time.monotonic()
    assert not differs(tmp_path, day.series, SAMPLES - 1, {"Watchdog"})
    print(f"\n{len(day.series)} series, all rules at their intervals in {time.monotonic() - began:.0f} s", end="")


def every_request_fails(day: Day, start: int) -> None:
    for name, served in day.series.items():
        before = served[start]
        if name.startswith("http_requests_total") and 'status="200"' in name and before is not None:
            errors = name.replace('"200"', '"500"')
            failed = day.series[errors]
            day.series[name] = [before if value and value > before else value for value in served]
            day.series[errors] = [
                None if value is None or good is None else value + max(0, good - before)
                for value, good in zip(failed, served, strict=True)
            ]


def redis_is_gone(day: Day, start: int) -> None:
    _set(day, "redis_", start, None)


def a_disk_fills(day: Day, start: int) -> None:
    _set(day, 'node_filesystem_avail_bytes{job="node-exporter",instance="n1:9100",node="n1",fstype="xfs"', start, 120)


def _set(day: Day, prefix: str, start: int, value: int | None) -> None:
    for name in [name for name in day.series if name.startswith(prefix)]:
        before: Values = day.series[name]
        day.series[name] = [*before[:start], *[value] * (SAMPLES - start)]


@pytest.mark.usefixtures("_tools")
def test_faults_on_that_day_fire_what_is_there_for_them(tmp_path: Path) -> None:
    day = Day()
    for fault in (every_request_fails, redis_is_gone, a_disk_fills):
        fault(day, at("6:30"))
    assert not differs(
        tmp_path, day.series, at("6:50"), {"Watchdog", "HighErrorRate", "RedisUnwatched", "NodeDiskFilling"}
    )


@pytest.mark.usefixtures("_tools")
def test_nothing_fires_while_nodes_are_rotated_and_lost_and_everything_restarts(tmp_path: Path) -> None:
    told = restless_day.series()
    began = time.monotonic()
    assert not differs(tmp_path, told, restless_day.END - restless_day.BEGIN, {"Watchdog"})
    print(f"\n{len(told)} series, all rules at their intervals in {time.monotonic() - began:.0f} s", end="")


@pytest.mark.usefixtures("_tools")
def test_a_node_of_that_day_that_stays_lost_is_told(tmp_path: Path) -> None:
    told = restless_day.series(lost_minutes=9)
    until = at(restless_day.LOST) + 9 * 60 // STEP - restless_day.BEGIN
    assert not differs(tmp_path, told, until, {"Watchdog", "TargetDown"})
