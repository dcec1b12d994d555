"""Every rule with one thing changed at a time: the tests in `rules/tests/` have to notice each change."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.rules import mutations, promtool

# By reason. A number in brackets: the second or third time that the rule has this.
UNNOTICED = {
    "the other side of the division has the same matcher, and only what has equal labels is divided": [
        'HighCPUUsage, warning: namespace="$application" dropped',
        'HighCPUUsage, warning: namespace="$application" dropped (2)',
        'HighMemoryUsage, warning: namespace="$application" dropped',
        'HighMemoryUsage, warning: namespace="$application" dropped (2)',
        'NodeDiskFilling, critical: mountpoint!~"/var/lib/kubelet/.+" dropped',
        'NodeDiskFilling, critical: mountpoint!~"/var/lib/kubelet/.+" dropped (2)',
        'NodeDiskFilling, warning: mountpoint!~"/var/lib/kubelet/.+" dropped',
        'NodeDiskFilling, warning: mountpoint!~"/var/lib/kubelet/.+" dropped (2)',
        'PostgreSQLTooManyConnections, critical: job="postgres" dropped',
        'PostgreSQLTooManyConnections, critical: job="postgres" dropped (2)',
        'PostgreSQLTooManyConnections, critical: job="postgres" dropped (3)',
        'PostgreSQLTooManyConnections, warning: job="postgres" dropped',
        'PostgreSQLTooManyConnections, warning: job="postgres" dropped (2)',
        'PostgreSQLTooManyConnections, warning: job="postgres" dropped (3)',
        'PrometheusNotificationsFailing, critical: job="prometheus" dropped',
        'PrometheusNotificationsFailing, critical: job="prometheus" dropped (2)',
        'PrometheusNotificationsFailing, critical: job="prometheus" dropped (3)',
        'PrometheusNotificationsFailing, warning: job="prometheus" dropped',
        'PrometheusNotificationsFailing, warning: job="prometheus" dropped (2)',
        'PrometheusNotificationsFailing, warning: job="prometheus" dropped (3)',
        'PrometheusRemoteWriteFailing, warning: job="prometheus" dropped',
        'PrometheusRemoteWriteFailing, warning: job="prometheus" dropped (2)',
        'RedisHighMemoryUsage, warning: job="redis" dropped',
        'RedisHighMemoryUsage, warning: job="redis" dropped (2)',
    ],
    "a limit is a container's, so that what has no container is divided by nothing": [
        'HighCPUUsage, warning: container!="" dropped',
        'HighMemoryUsage, warning: container!="" dropped',
    ],
    "all queues count, unless a stack names those of its generation": [
        'LowMangaDemand, warning: queue=~".+" dropped',
        'LowMangaGenerationRate, warning: queue=~".+" dropped',
        'LowMangaGenerationRate, warning: queue=~".+" dropped (2)',
    ],
    "where `unless` has found no success, all that is counted are errors": [
        'JaegerReadsFailing, warning: result="err" dropped',
    ],
}


def complaints(folder: Path, alert: str, rules: str) -> str:
    """Return what promtool says if these rules of an alert do not pass its tests."""
    path = folder / "rules.json"
    path.write_text(rules)
    done = promtool.run(folder, path, promtool.for_alert(alert))
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.usefixtures("_tools")
def test_every_change_of_a_rule_is_noticed(tmp_path: Path) -> None:
    files = sorted(promtool.RULES.glob("*.yml"))
    changes = [change for path in files for change in mutations.of_file(path)]
    listed = {name for names in UNNOTICED.values() for name in names}

    def is_noticed(number: int) -> bool:
        folder = tmp_path / str(number)
        folder.mkdir()
        return bool(complaints(folder, changes[number].alert, changes[number].rules))

    with ThreadPoolExecutor(2) as pool:
        noticed = list(pool.map(is_noticed, range(len(changes))))
    print(f"\n{len(changes)} changes, {sum(noticed)} noticed, {len(listed)} listed with a reason", end="")
    unnoticed = {change.name for change, is_one in zip(changes, noticed, strict=True) if not is_one}
    assert sorted(unnoticed - listed) == [], "no test notices these, and no reason is listed"
    assert sorted(listed - unnoticed) == [], "listed, but noticed, or no change any more"


@pytest.mark.usefixtures("_tools")
def test_the_rules_as_they_are_pass_what_the_changed_ones_fail(tmp_path: Path) -> None:
    for path in promtool.RULES.glob("*.yml"):
        for alert in {change.alert for change in mutations.of_file(path)}:
            assert not complaints(tmp_path, alert, mutations.only(alert, path.read_text()))
