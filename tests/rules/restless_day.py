"""A second healthy day, made of the first: nodes are rotated, one is lost, everything in the stack restarts.

From 12:00 to 17:00 of it, with the first day's deployment at 16:30: a rotation of the two nodes, a spot instance that
is taken away without a word, and a restart of all that watches, at once. Nobody is to be woken by it.
"""

from tests.rules.healthy_day import Day
from tests.rules.samples import SAMPLES, Values, at, minutes

BEGIN, END = at("12:00"), at("17:00")
ROTATED = {"n1": ("r1", "12:30"), "n3": ("r3", "12:50")}
LOST, RESTARTED = "14:00", "16:00"
COUNTERS = ("_total", "_bucket")


def series(lost_minutes: int = 3) -> dict[str, Values]:
    """Return the hours from BEGIN to END of all series.

    Args:
        lost_minutes: until the cluster gives up the node that is lost, and its pods have another.
    """
    day = Day()
    _rotate_nodes(day)
    _lose_a_node(day, lost_minutes)
    _restart_the_stack(day)
    cut = {name: values[BEGIN : END + 1] for name, values in day.series.items()}
    return {name: values for name, values in cut.items() if any(value is not None for value in values)}


def _rotate_nodes(day: Day) -> None:
    """Each node is drained, and another takes its place: what ran there is away while it moves, or has a new name."""
    for old, (new, clock) in ROTATED.items():
        _moved(day, [f'node="{old}"'], minutes(clock, 2), {f'"{old}"': f'"{new}"', f'"{old}:': f'"{new}:'})
    away = range(at("12:30"), at("12:30") + 6)
    _moved(day, ['pod="postgres-exporter-a"'], away, {"postgres-exporter-a": "postgres-exporter-b", '"pg:': '"pg2:'})
    _moved(day, ['pod="redis-0"', 'job="redis"'], away)
    _moved(day, ['pod="worker-0"', 'job="kubernetes-pods"'], away)
    _moved(day, ['job="nginx"'], range(away.start, away.start + 2), {"nginx-a": "nginx-b"})
    kube_state_metrics = range(at("12:50"), at("12:50") + 3)
    _moved(day, ['job="kube-state-metrics"', 'instance="a:8080"'], kube_state_metrics, {'"a:8080"': '"c:8080"'})
    _set(day, ["prometheus_target_scrape_pool_targets", 'scrape_job="kube-state-metrics"'], kube_state_metrics, 0)


def _lose_a_node(day: Day, lost_minutes: int) -> None:
    """A spot instance is gone: until the cluster gives it up, its targets do not answer, its pods are not ready."""
    lost = minutes(LOST, lost_minutes)
    here = {'node="r3"': {'"r3"': '"s3"', '"r3:': '"s3:'}, 'pod="backend-1-1"': {"backend-1-1": "backend-1-1-b"}}
    for where, renamed in here.items():
        for name in [name for name in day.series if where in name]:
            before = day.series[name]
            _moved(day, [name], lost, renamed)
            if name.startswith(("up{", "kube_pod_status_", "kube_pod_container_resource_limits")):
                ends = {"up{": 0, 'condition="true"': 0, 'condition="false"': 1}
                held = next((value for part, value in ends.items() if part in name), before[lost.start])
                day.series[name] = [*before[: lost.start], *[held] * len(lost), *[None] * (SAMPLES - lost.stop)]
    _set(day, ["up{", 'pod="alertmanager-2"'], lost, 0)
    _set(day, ["alertmanager_", 'pod="alertmanager-2"'], lost, None)
    for replica in (0, 1):
        _set(day, ["alertmanager_cluster_members", f'pod="alertmanager-{replica}"'], lost, 2)
    _set(day, ["elasticsearch_cluster_health_status", "mangakai-logs", 'color="yellow"'], minutes(LOST, 30), 1)


def _restart_the_stack(day: Day) -> None:
    """All that watches is replaced at once, as by an update that changes what every pod has."""
    away = range(at(RESTARTED), at(RESTARTED) + 6)
    short = range(away.start, away.start + 3)
    for job in ("prometheus", "alertmanager", "jaeger-collector", "jaeger-query", "backup"):
        _moved(day, [f'job="{job}"'], away)
    _moved(day, ['job="node-exporter"'], short)
    _moved(day, ['job="kube-state-metrics"'], short)
    found = range(away.stop, away.stop + 4)
    _set(day, ["prometheus_notifications_alertmanagers_discovered"], found, 2)
    _set(day, ["alertmanager_cluster_members"], found, 1)
    _set(day, ["elasticsearch_cluster_health_status", "mangakai-logs", 'color="yellow"'], minutes(RESTARTED, 30), 1)
    _set(day, ["elasticsearch_scrape_success", "mangakai-traces"], minutes(RESTARTED, 2), 0)
    _set(day, ["elasticsearch_cluster_health_status", "mangakai-traces"], minutes(RESTARTED, 2), None)
    _set(day, ["elasticsearch_cluster_health_status", "mangakai-traces", 'color="red"'], minutes("16:02", 2), 1)


def _of(day: Day, parts: list[str]) -> list[str]:
    return [name for name in day.series if all(part in name for part in parts)]


def _moved(day: Day, parts: list[str], away: range, renamed: dict[str, str] | None = None) -> None:
    """Let series end and begin anew after a while, perhaps under another name; counters begin with 0."""
    for name in _of(day, parts):
        values = list(day.series[name])
        first = values[away.stop] or 0
        base = first if name.partition("{")[0].endswith(COUNTERS) else 0
        after = [None if value is None else value - base for value in values[away.stop :]]
        new = name
        for old_part, new_part in (renamed or {}).items():
            new = new.replace(old_part, new_part)
        day.series[name] = [*values[: away.start], *[None] * (SAMPLES - away.start)]
        begun = [*[None] * away.stop, *after]
        day.series[new] = begun if new != name else [*values[: away.start], *begun[away.start :]]


def _set(day: Day, parts: list[str], span: range, value: int | None) -> None:
    """Give series a value for a while, where they are there."""
    for name in _of(day, parts):
        values = list(day.series[name])
        for number in span:
            values[number] = None if values[number] is None else value
        day.series[name] = values
