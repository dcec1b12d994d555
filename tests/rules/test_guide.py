"""The guide's own rules against the tests of ours, so that these are seen to notice what was wrong with the guide's.

A case is one named group of `rules/tests/`. Of each only how many alerts fire, and when, is compared, by the series
ALERTS that Prometheus itself writes: texts, labels and severities would fail the guide's rules for reasons that are no
defects. An alert with a warning and a critical step counts once. Where the guide's rules say mangakai-prod they get the
tests' placeholder for it. What concerns texts and not behaviour (D-040, D-041, D-045) is read off the rules.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rules import promtool

GUIDE = Path(__file__).parent / "guide_rules.yml"
GUIDES_ALERTS = {rule["alert"] for rule in yaml.safe_load(GUIDE.read_text())["groups"][0]["rules"]}
# D-032: the guide's rule is silent as ours is, but for every container. D-041: it is the text that is wrong.
SAME_COUNT = {"D-032", "D-041"}

Rules = list[dict[str, Any]]


def counted(file: promtool.TestFile) -> promtool.TestFile:
    """Return a test file that compares how many alerts fire."""
    return {
        **file,
        "tests": [
            {
                **{key: value for key, value in group.items() if key != "alert_rule_test"},
                "promql_expr_test": [
                    {
                        "expr": "count(count without (severity) "
                        f'(ALERTS{{alertname="{case["alertname"]}",alertstate="firing"}})) or vector(0)',
                        "eval_time": case["eval_time"],
                        "exp_samples": [{"labels": "{}", "value": distinct(case.get("exp_alerts", []))}],
                    }
                    for case in group["alert_rule_test"]
                ],
            }
            for group in file["tests"]
        ],
    }


def distinct(alerts: list[dict[str, dict[str, str]]]) -> int:
    return len({frozenset((alert["exp_labels"] | {"severity": ""}).items()) for alert in alerts})


def failing(folder: Path, rules: Path | None) -> dict[str, bool]:
    """Return by name whether each case fails with `rules`, or with ours."""
    promtool.run(folder, rules, [counted(file) for file in promtool.test_files()], f"--junit={folder}/junit.xml")
    report = ET.parse(folder / "junit.xml").getroot()  # noqa: S314 - promtool wrote it
    return {case.attrib["name"]: case.find("failure") is not None for case in report.iter("testcase")}


@pytest.mark.usefixtures("_tools")
def test_the_guides_rules_fail_the_regressions_and_ours_do_not(tmp_path: Path) -> None:
    guide = tmp_path / "guide_rules.yml"
    guide.write_text(GUIDE.read_text().replace("mangakai-prod", "$application"))
    ours = failing(tmp_path, None)
    guides = failing(tmp_path, guide)
    groups = [group for file in promtool.test_files() for group in file["tests"]]
    assert ours.keys() == guides.keys() == {group["name"] for group in groups}
    shared = {
        group["name"] for group in groups if {case["alertname"] for case in group["alert_rule_test"]} <= GUIDES_ALERTS
    }
    regressions = {name for name in ours if name.startswith("D-")}
    for what, names in {"about the guide's 14 alerts": shared, "named for a defect of the guide": regressions}.items():
        print(
            f"\nOf {len(names)} cases {what} {sum(guides[name] for name in names)} fail with the guide's rules, "
            f"{sum(ours[name] for name in names)} with ours",
            end="",
        )
    assert not [name for name, fails in ours.items() if fails]
    assert not [name for name in regressions if not guides[name] and name[:5] not in SAME_COUNT]


def without_runbook(rules: Rules) -> list[str]:
    pages = {rule["alert"]: rule["annotations"].get("runbook_url", "").rpartition("/runbooks/")[2] for rule in rules}
    return [
        alert
        for alert, page in pages.items()
        if not re.fullmatch("[a-z-]+", page) or page.replace("-", "") != alert.lower()
    ]


def with_all_digits(rules: Rules) -> list[str]:
    """Name the alerts whose text gives a quotient, or what a function returns, as it is."""
    computed = re.compile(r"\b(rate|increase|histogram_quantile)\(|/")
    return [
        rule["alert"]
        for rule in rules
        if "{{ $value }}" in rule["annotations"]["description"] and computed.search(rule["expr"])
    ]


def with_an_environment(rules: Rules) -> list[str]:
    return [rule["alert"] for rule in rules if re.search("prod|staging|local", rule["expr"])]


TEXTS: dict[str, Callable[[Rules], list[str]]] = {
    "D-040": without_runbook,
    "D-041": with_all_digits,
    "D-045": with_an_environment,
}


@pytest.mark.parametrize("defect", TEXTS)
def test_texts_and_selectors(defect: str) -> None:
    ours, guides = (
        [rule for path in paths for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
        for paths in (promtool.RULES.glob("*.yml"), [GUIDE])
    )
    assert not TEXTS[defect](ours)
    found = TEXTS[defect](guides)
    assert found
    print(f"\n{defect}: {len(found)} of the guide's {len(guides)} rules: {', '.join(found)}", end="")


def test_each_defect_of_the_guides_rules_has_a_regression() -> None:
    named = {
        number
        for file in promtool.test_files()
        for group in file["tests"]
        for number in re.findall(r"D-0\d\d", group["name"])
    }
    assert named | TEXTS.keys() >= {f"D-{number:03}" for number in range(20, 46)}
