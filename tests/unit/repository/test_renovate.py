"""Renovate sees every pin: what it would not see is never updated, and nobody notices."""

import itertools
import json
import re
import subprocess
from typing import Any

from components.elastic import exporter
from components.foundation import backup_target, set_up_job
from components.foundation.chart_pins import PINS
from components.metrics import config_reloader
from components.settings.logs import LogsSettings
from components.settings.traces import TracesSettings
from components.traces import jaeger
from sandbox.program_pins import PROGRAMS, PULUMI
from tests.offline import ROOT

CONFIG: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text())
ELASTICSEARCH = "docker.elastic.co/elasticsearch/elasticsearch"
(MANAGER,) = CONFIG["customManagers"]
# Its own names: docs.renovatebot.com/modules/manager. What is enabled here finds files by its own patterns, or by ours.
FILES = {
    "custom.regex": None,
    "github-actions": r"^\.github/(workflows|actions)/.+\.yml$",
    "gomod": r"(^|/)go\.mod$",
    "maven": r"(^|/)pom\.xml$",
    "pep621": r"(^|/)pyproject\.toml$",
    "pip-compile": None,
}


def tracked() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file()]


def patterns(texts: list[str]) -> list[re.Pattern[str]]:
    """Return Renovate's patterns between slashes, in Python's spelling."""
    assert all(text.startswith("/") and text.endswith("/") for text in texts), texts
    return [re.compile(text[1:-1]) for text in texts]


def pins() -> dict[tuple[str, str], dict[str, str]]:
    """Return what the custom manager finds, by file and name."""
    (text,) = MANAGER["matchStrings"]
    pattern = re.compile(text.replace("(?<", "(?P<"))
    files = [name for name in tracked() if any(one.search(name) for one in patterns(MANAGER["managerFilePatterns"]))]
    return {
        (name, found["depName"]): found.groupdict("")
        for name in files
        for found in pattern.finditer((ROOT / name).read_text())
    }


def test_every_comment_is_seen_with_its_pin() -> None:
    comments = [
        (name, line)
        for name in tracked()
        if name.endswith((".py", ".yml", ".yaml", ".json", "Makefile")) and name != "renovate.json"
        for line in (ROOT / name).read_text().splitlines()
        if line.strip().startswith("# renovate:")
    ]
    found = pins()
    assert len(comments) == len(found) >= len(PINS) + 3
    for name, line in comments:
        (dependency,) = re.findall(r"depName=(\S+)", line)
        assert (name, dependency) in found, f"{name}: Renovate does not see {line.strip()}"


def test_what_is_seen_is_what_is_pinned() -> None:
    found = pins()
    for name, chart in PINS.items():
        pin = found["components/foundation/chart_pins.py", name]
        assert (pin["datasource"], pin["currentValue"], pin["registryUrl"]) == ("helm", chart.version, chart.repository)
    images = {
        ("components/metrics/config_reloader.py", config_reloader.IMAGE),
        ("components/foundation/set_up_job.py", set_up_job.IMAGE),
        ("components/elastic/exporter.py", exporter.IMAGE),
        ("components/foundation/backup_target.py", backup_target.IMAGE),
        ("components/foundation/backup_target.py", backup_target._RESTIC_IMAGE),
        ("components/traces/jaeger.py", f"jaegertracing/jaeger-collector:{jaeger._VERSION}"),
        ("components/traces/jaeger.py", f"jaegertracing/jaeger-operator:{jaeger._OPERATOR_VERSION}"),
        ("components/settings/logs.py", f"{ELASTICSEARCH}:{LogsSettings().elasticsearch.version}"),
        ("components/settings/traces.py", f"{ELASTICSEARCH}:{TracesSettings().elasticsearch.version}"),
    }
    docker = {key: pin for key, pin in found.items() if pin["datasource"] == "docker"}
    assert {(file, f"{name}:{pin['currentValue']}") for (file, name), pin in docker.items()} == images
    pulumi = found[".github/actions/stack/action.yml", "pulumi/pulumi"]
    assert (pulumi["datasource"], pulumi["currentValue"]) == ("github-releases", PULUMI.version)
    # Its tags begin with v, the version that is asked for does not.
    tag = re.fullmatch(pulumi["extractVersion"].replace("(?<", "(?P<"), f"v{PULUMI.version}")
    assert tag
    assert tag["version"] == PULUMI.version


def test_no_image_or_chart_is_pinned_without_a_comment() -> None:
    for name in tracked():
        if name.startswith("components/") and name.endswith(".py"):
            lines = (ROOT / name).read_text().splitlines()
            for before, line in itertools.pairwise(lines):
                if re.search(r'"[a-z][\w./-]*:v?\d+\.\d+[\w.-]*"|Chart\(\w+, "|= "\d+\.\d+\.\d+"$', line):
                    assert before.strip().startswith("# renovate:"), f"{name}: {line.strip()}"


def test_the_managers_find_files() -> None:
    assert FILES.keys() == set(CONFIG["enabledManagers"])
    names = tracked()
    own = {"pip-compile": CONFIG["pip-compile"]["managerFilePatterns"], "custom.regex": MANAGER["managerFilePatterns"]}
    for manager, pattern in FILES.items():
        for one in [re.compile(pattern)] if pattern else patterns(own[manager]):
            assert [name for name in names if one.search(name)], f"{manager}: {one.pattern}"


def test_every_program_is_updated() -> None:
    (rule,) = (rule for rule in CONFIG["packageRules"] if "indirect" in rule.get("matchDepTypes", []))
    tools = set()
    # What has a main of ours imports its modules: those are direct, and Renovate takes them without being told.
    for program in (one for one in PROGRAMS if not one.package.startswith("./")):
        modules = re.findall(
            r"^\s*(\S+) v\S+ // indirect$", (program.module.folder / "go.mod").read_text(), re.MULTILINE
        )
        tools.add(max((one for one in modules if f"{program.package}/".startswith(f"{one}/")), key=len))
    assert rule["matchPackageNames"] == sorted(tools)


def test_the_runtimes_lock_says_how_it_is_made() -> None:
    # By its header Renovate makes it anew. It takes an option and its value in one word only, and knows no --group.
    first, command = (ROOT / "requirements.txt").read_text().splitlines()[:2]
    assert first == "# This file was autogenerated by uv via the following command:"
    assert re.fullmatch(r"#    uv pip compile pyproject\.toml( --[a-z-]+(=\S+)?)+", command)
    assert "--no-header" not in command
    assert command.removeprefix("#    ") in (ROOT / "pyproject.toml").read_text()


def test_the_locks_agree() -> None:
    runtime, development = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), flags=re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert {name: version for name, version in runtime.items() if development.get(name, version) != version} == {}
