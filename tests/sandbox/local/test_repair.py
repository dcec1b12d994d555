"""`make repair` on a stack in each state that Helm can leave a Release in: the rows of docs/repair.md.

The states are made by writing Helm's records as a killed Helm leaves them, all at once, each of a Release of its own;
../test_killed_releases.py kills the real ones, ../test_interruptions.py has the states of the engine.
"""

import json
import re
from collections.abc import Callable, Iterator

import pytest

from tests.sandbox import helm
from tests.sandbox.conftest import Api, Project
from tests.sandbox.local.test_drift import drift

PROMETHEUS = "/apis/apps/v1/namespaces/monitoring/statefulsets/prometheus"


@pytest.fixture(autouse=True)
def set_back(project: Project) -> Iterator[None]:
    """Whatever a test leaves is repaired, and the stack as it was."""
    yield
    project.repair("local")
    project.prepare("local")
    project.up("local")


def forget_in_the_state(project: Project, release: str) -> None:
    """Let Pulumi's state lose a Release, as where the engine was killed before it could write down that it is there."""
    file = project.sandbox.state / ".pulumi" / "stacks" / "mangakai-monitoring" / "local.json"
    state = json.loads(file.read_text())
    resources = state["checkpoint"]["latest"]["resources"]
    (lost,) = (one for one in resources if one["urn"].endswith(f"Release::{release}"))
    resources.remove(lost)
    text = json.dumps(state).replace(f'"{lost["urn"]}", ', "").replace(f', "{lost["urn"]}"', "")
    file.write_text(text.replace(f'"{lost["urn"]}"', ""))


def converges(project: Project) -> None:
    """The next update makes the cluster what the program says, and the one after it has nothing to do."""
    print(f"\n{project.up('local')}")
    said = drift(project)
    assert said.status == 0, said.text
    assert project.previewed("local") == []
    assert project.repair("local") == []


def test_each_state_of_a_release_is_repaired(project: Project, api: Api) -> None:
    apps, monitoring = api.apps, "monitoring"
    states: dict[str, list[Callable[[], object]]] = {
        "prometheus": [lambda: helm.begin(api, "prometheus", "pending-upgrade")],
        "grafana": [lambda: helm.begin(api, "grafana", "pending-rollback")],
        # An uninstall that was killed, and one that timed out: then Helm forgets the Release, and Pulumi does not.
        "kibana": [lambda: helm.leave(api, "kibana", "uninstalling")],
        "alertmanager": [
            lambda: helm.forget(api, "alertmanager"),
            lambda: apps.delete_namespaced_stateful_set("alertmanager", monitoring),
        ],
        # `helm uninstall --keep-history`.
        "filebeat": [lambda: helm.leave(api, "filebeat", "uninstalled", "monitoring-agents")],
        "logstash": [lambda: helm.forget(api, "logstash")],
        "mangakai-logs": [lambda: helm.leave(api, "mangakai-logs", "superseded")],
        "mangakai-traces": [lambda: helm.leave(api, "mangakai-traces", "failed")],
        "elastic-operator": [lambda: forget_in_the_state(project, "elastic-operator")],
        "jaeger-operator": [
            lambda: helm.leave(api, "jaeger-operator", "pending-install"),
            lambda: forget_in_the_state(project, "jaeger-operator"),
        ],
    }
    for steps in states.values():
        for step in steps:
            step()
    told = drift(project)
    assert told.status == 3
    for release in states.keys() - {"elastic-operator", "jaeger-operator"}:
        assert f"/{release} (Pulumi)" in told.text

    done = project.repair("local")
    print("\n".join(done))
    for line in (
        r"ended the Helm record prometheus v\d+ \(pending-upgrade\) in monitoring: failed",
        r"ended the Helm record grafana v\d+ \(pending-rollback\) in monitoring: failed",
        r"ended the Helm record kibana v\d+ \(uninstalling\) in monitoring: failed",
        r"ended the Helm record filebeat v\d+ \(uninstalled\) in monitoring-agents: failed",
        r"Release mangakai-logs is at mangakai-logs v\d+ \(superseded\), .*",
        r"Release mangakai-traces is at mangakai-traces v\d+ \(failed\), .*",
        r"removed the Helm record elastic-operator v\d+ \(deployed\) in monitoring",
        r"removed the Helm record jaeger-operator v\d+ \(pending-install\) in monitoring",
        r"read anew what the cluster has of alertmanager",
        r"read anew what the cluster has of logstash",
    ):
        assert any(re.fullmatch(line, one) for one in done), line
    converges(project)
    for release in states:
        namespace = "monitoring-agents" if release == "filebeat" else "monitoring"
        assert helm.statuses(api, release, namespace)[-1] == "deployed"


def test_an_update_that_meets_such_a_record_says_what_to_do(project: Project, api: Api) -> None:
    helm.begin(api, "prometheus", "pending-upgrade")
    project.prepare("local", prometheus={"retention": "3d"})
    done = project.pulumi("local", "up", "--yes", "--skip-preview")
    assert done.returncode != 0
    assert "Helm could not write down how it ended: make repair STACK=local, then pulumi up" in done.stdout
    assert "event Pod/" not in done.stdout, "what was wrong with its pods another time"
    project.repair("local")
    converges(project)


@pytest.mark.long
def test_an_upgrade_and_a_rollback_by_hand_drift_and_are_undone(project: Project, api: Api) -> None:
    before = api.get(PROMETHEUS)["spec"]["template"]
    upgrade = ("upgrade", "prometheus", str(helm.chart(project, "prometheus")), "--reuse-values")
    helm.by_hand(project, *upgrade, "--set", "server.retention=4d", "--namespace", "monitoring")
    by_hand = str(helm.records(api, "prometheus")[-1].revision)
    for command in ((), ("rollback", "prometheus", by_hand)):
        if command:
            helm.by_hand(project, *command, "--namespace", "monitoring")
        assert api.get(PROMETHEUS)["spec"]["template"] != before
        found = drift(project, "--json").drift
        assert found.keys() == {("Release monitoring/prometheus", "values.server.retention")}
        (retention,) = found.values()
        assert (retention["owner"], retention["live"]) == ("Pulumi", "4d")
        assert project.previewed("local") == [], "a preview knows nothing of it"
        (line,) = project.repair("local")
        assert line.startswith("Release prometheus is at prometheus v")
        converges(project)
        assert api.get(PROMETHEUS)["spec"]["template"] == before
