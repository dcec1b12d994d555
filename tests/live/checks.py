"""What holds of any stack that is up on a live cluster."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Set
from typing import Any

from components.foundation.names import WEB_USER
from operations import render
from tests.catalogue import queries
from tests.live.asking import ask, is_ready, pods, query, until, unwell
from tests.offline import ROOT
from tests.sandbox.conftest import CANARIES, Api, Project

PROMETHEUS, ALERTMANAGER, GRAFANA = "http://localhost:9090", "http://localhost:9093", "http://localhost:3000"
KIBANA, JAEGER = "https://localhost:5601", "http://localhost:16686"
ADMIN = ("admin", CANARIES["grafanaAdminPassword"])
PEOPLE = (WEB_USER, CANARIES["kibanaPassword"])
# Of the jobs, those whose targets are the application's, which is not there.
OF_THE_APPLICATION = {"mangakai-backend", "redis", "postgres", "nginx", "kubernetes-pods", "mangakai-worker"}
Login = tuple[str, str] | None


def every_pod_is_ready(api: Api, least: int) -> None:
    """Wait until every pod is ready, of which there are this many at least; none has restarted."""
    # An operator makes some after `up` has ended.
    until(lambda: all_are_ready(api), 180, "every pod ready")
    found = {pod["metadata"]["name"]: unwell(pod) for pod in pods(api) if not was_in_vain(pod)}
    print(f"\n{len(found)} pods")
    assert len(found) >= least
    assert {name: why for name, why in found.items() if why} == {}


def all_are_ready(api: Api) -> bool:
    """Return whether every pod is ready, but for tries of Jobs that were in vain."""
    return all(is_ready(pod) or was_in_vain(pod) for pod in pods(api))


def was_in_vain(pod: dict[str, Any]) -> bool:
    """Return whether this is a try of a Job before the one that succeeded."""
    owners = pod["metadata"].get("ownerReferences", [])
    return pod["status"]["phase"] == "Failed" and any(owner["kind"] == "Job" for owner in owners)


def every_target_is_up(login: Login, absent: Set[str]) -> None:
    """Wait until every target is up, with the rights that Prometheus has: of all jobs but those that are absent."""
    shipped = {file.stem for file in (ROOT / "scrape").glob("*.yml")}

    def targets() -> dict[str, list[str]]:
        answer = ask(f"{PROMETHEUS}/api/v1/targets?state=active", login)
        found: dict[str, list[str]] = {}
        for target in answer.document["data"]["activeTargets"]:
            found.setdefault(target["labels"]["job"], []).append(target["lastError"] or target["health"])
        return found

    last: dict[str, list[str]] = {}

    def all_are_up() -> bool:
        # Behind the load balancer any replica answers.
        for _ in range(8):
            last.clear()
            last.update(targets())
            if not shipped - absent <= set(last) or {one for of_job in last.values() for one in of_job} != {"up"}:
                return False
        return True

    # Prometheus learns of new targets every five seconds. What was not there in time is told below, by its job.
    with contextlib.suppress(AssertionError):
        until(all_are_up, 180, "every target up")
    found = last
    print(f"\n{sum(map(len, found.values()))} targets of {len(found)} jobs: {sorted(found)}")
    assert shipped - set(found) == absent & shipped
    assert {job: of_job for job, of_job in found.items() if set(of_job) != {"up"}} == {}


def every_rule_is_evaluated(login: Login, stack: str) -> None:
    """Wait until Prometheus has evaluated each rule of the stack without an error."""
    shipped = sum(
        text.count("- alert:") + text.count("- record:")
        for path, text in render.stack_files(stack).items()
        if path.startswith("rules/")
    )

    def health() -> list[str]:
        groups = ask(f"{PROMETHEUS}/api/v1/rules", login).document["data"]["groups"]
        return [rule["health"] for group in groups for rule in group["rules"]]

    until(lambda: set(health()) == {"ok"}, 120, "every rule evaluated")
    print(f"\n{len(health())} rules")
    assert len(health()) == shipped


def every_panel_has_data(login: Login) -> None:
    """Wait until every query of a dashboard returns data whose metrics are exposed; the application's pod is there."""
    pod = 'container_memory_working_set_bytes{pod="canary"}'
    until(lambda: query(PROMETHEUS, pod, login), 120, "the application's pod")
    exposed = {
        (found["metric"]["job"], found["metric"]["__name__"])
        for found in query(PROMETHEUS, 'group by (job, __name__) ({job!=""})', login)
    }
    wanted = []
    for file in sorted((ROOT / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                # Each value that a variable may have. What compares shows nothing where all is well.
                text = re.sub(r'=~?"\$\w+"', '=~".+"', target["expr"])
                one = queries.Query(f"{file.name}: {panel['title']}", text, frozenset())
                if queries.reached_by([one]) <= exposed and not text.endswith("> 0"):
                    wanted.append(one)
    print(f"\n{len(wanted)} queries asked")
    assert len(wanted) > 25

    def empty() -> list[str]:
        return [f"{one.where}: {one.text}" for one in wanted if not query(PROMETHEUS, one.text, login)]

    # Rates need two scrapes.
    with contextlib.suppress(AssertionError):
        until(lambda: not empty(), 120, "data in each panel")
    assert empty() == []


def run(project: Project, stack: str, verb: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a user's verb about a stack, whatever its exit status."""
    command = [sys.executable, "-m", f"operations.{verb}", "--stack", stack, *arguments]
    variables = project.environment(stack)
    return subprocess.run(command, cwd=project.folder, env=variables, capture_output=True, text=True, check=False)


def nothing_has_drifted(project: Project, stack: str) -> None:
    """Ask `make drift`."""
    done = run(project, stack, "drift")
    assert done.returncode == 0, done.stdout + done.stderr


def troubleshooting_finds_only(project: Project, stack: str, expected: str) -> None:
    """Ask `make troubleshoot`: each finding matches the regular expression."""
    found = json.loads(run(project, stack, "troubleshoot", "--json").stdout)["findings"]
    findings = [f"{one['subject']}: {one['what']}" for one in found if one["severity"] != "info"]
    print("\n" + "\n".join(findings))
    assert [finding for finding in findings if not re.search(expected, finding)] == []
