"""promtool's unit tests of rules, read from `rules/tests/` and run in a changed form."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sandbox.program_pins import PROMTOOL
from tests.offline import ROOT

RULES = ROOT / "rules"
TestFile = dict[str, Any]


@cache
def test_files() -> list[TestFile]:
    """Return all files of `rules/tests/`, every scalar as the text that it is: `0x40` are zeros, not 64."""
    return [
        yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - it builds nothing but texts
        for path in sorted((RULES / "tests").glob("*.yml"))
    ]


def for_alert(alert: str) -> list[TestFile]:
    """Return the test files with nothing but the cases of one alert."""
    files = []
    for file in test_files():
        groups = [
            {**group, "alert_rule_test": cases}
            for group in file["tests"]
            if (cases := [case for case in group["alert_rule_test"] if case["alertname"] == alert])
        ]
        if groups:
            files.append({**file, "tests": groups})
    return files


def run(folder: Path, rules: Path | None, files: list[TestFile], *options: str) -> subprocess.CompletedProcess[str]:
    """Run promtool on test files, which are written to `folder`; `rules` replaces the rule files that they name."""
    paths = []
    for number, file in enumerate(files):
        named = [RULES / "tests" / name for name in file["rule_files"]]
        paths.append(folder / f"{number}.test.json")
        paths[-1].write_text(json.dumps({**file, "rule_files": [str(path) for path in ([rules] if rules else named)]}))
    command = [str(PROMTOOL.path), "test", "rules", *options, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
