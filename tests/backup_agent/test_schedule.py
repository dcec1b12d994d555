"""What Prometheus is told of the backups: late, failing, caught up, damaged."""

import urllib.request
from collections.abc import Callable

import pytest

from backup_agent import BackupError, repository
from backup_agent import __main__ as program
from backup_agent.schedule import Schedule, serve
from backup_agent.snapshot import Snapshot, choose
from tests.backup_agent.conftest import INTERVAL, Prometheus, Storage
from tests.backup_agent.test_prometheus import BEGIN, HOURS
from tests.catalogue.catalogue import CATALOGUE

PORT = 29343


class Clock:
    """A time that moves when told."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


def metrics(schedule: Schedule) -> dict[str, float]:
    lines = [line for line in schedule.metrics().splitlines() if not line.startswith("#")]
    return {line.partition("{")[0]: float(line.rpartition(" ")[2]) for line in lines}


@pytest.fixture
def started(prometheus: Prometheus, environment: dict[str, str]) -> Callable[[], tuple[Schedule, Clock, list[str]]]:
    prometheus.fill(BEGIN, HOURS)

    def start() -> tuple[Schedule, Clock, list[str]]:
        told: list[str] = []
        clock = Clock()
        backup = program.backup("prometheus", {**environment, "PROMETHEUS_DATA": str(prometheus.data)})
        return Schedule([backup], INTERVAL, told.append, clock), clock, told

    return start


def test_storage_that_is_away_is_told_and_caught_up(
    started: Callable[[], tuple[Schedule, Clock, list[str]]],
    storage: Storage,
    prometheus: Prometheus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedule, clock, told = started()
    schedule.run_due()
    first = metrics(schedule)
    assert (first["backup_failing"], first["backup_check_failing"]) == (0, 0)
    assert first["backup_objective_seconds"] == 3 * 3600 + 2 * INTERVAL
    clock.time += INTERVAL - 1
    schedule.run_due()
    assert metrics(schedule) == first, "it ran before it was due"
    storage.away()
    monkeypatch.setattr(repository, "QUICK_SECONDS", 3)
    prometheus.fill(BEGIN + 3600 * HOURS, 4)
    clock.time += 1
    schedule.run_due()
    away = metrics(schedule)
    assert away["backup_failing"] == 1
    assert away["backup_newest_data_timestamp_seconds"] == first["backup_newest_data_timestamp_seconds"]
    assert told[-1].startswith("error: prometheus: restic")
    storage.back()
    monkeypatch.undo()
    clock.time += 299
    schedule.run_due()
    assert metrics(schedule)["backup_failing"] == 1
    clock.time += 1
    schedule.run_due()
    back = metrics(schedule)
    assert back["backup_failing"] == 0
    assert back["backup_newest_data_timestamp_seconds"] > first["backup_newest_data_timestamp_seconds"] + 3 * 3600


@pytest.mark.usefixtures("storage")
def test_another_process_remembers_what_was_saved(
    started: Callable[[], tuple[Schedule, Clock, list[str]]], prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, _, _ = started()
    schedule.run_due()
    before = metrics(schedule)["backup_newest_data_timestamp_seconds"]
    again, _, _ = started()
    assert "backup_newest_data_timestamp_seconds" not in metrics(again)

    def broken(*_: object) -> None:
        raise BackupError("a volume that cannot be read")

    monkeypatch.setattr("backup_agent.blocks.Blocks._link", broken)
    again.run_due()
    after = metrics(again)
    assert after["backup_failing"] == 1
    assert after["backup_newest_data_timestamp_seconds"] == before
    assert prometheus.data.exists()


def test_damage_is_told_by_the_daily_check(
    started: Callable[[], tuple[Schedule, Clock, list[str]]], storage: Storage
) -> None:
    schedule, clock, told = started()
    schedule.run_due()
    assert metrics(schedule)["backup_check_failing"] == 0
    for key in storage.keys("prometheus/prometheus-0/data/"):
        storage.client.delete_object(Bucket="mangakai-backups", Key=key)
    clock.time += 86400
    schedule.run_due()
    assert metrics(schedule)["backup_check_failing"] == 1
    assert any(line.startswith("error: prometheus: restic") for line in told)


@pytest.mark.usefixtures("storage")
def test_the_metrics_are_those_of_the_catalogue(
    started: Callable[[], tuple[Schedule, Clock, list[str]]],
) -> None:
    schedule, _, _ = started()
    schedule.run_due()
    server = serve(schedule, ("127.0.0.1", PORT))
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
    for name in CATALOGUE["jobs"]["backup"]["metrics"]:
        assert f'\n{name}{{part="prometheus"}} ' in text, name
        assert f"# TYPE {name} gauge" in text


def test_a_snapshot_is_chosen_by_its_id_or_its_time() -> None:
    snapshots = [Snapshot(id_, made, made, 1, "/") for id_, made in (("aa1", 0), ("bb2", 86400), ("bb3", 172800))]
    assert choose(snapshots, "latest").id == "bb3"
    assert choose(snapshots, "aa").id == "aa1"
    assert choose(snapshots, "1970-01-02T12:00").id == "bb2"
    with pytest.raises(BackupError, match=r"there is no backup '1969-01-01'(.|\n)*aa1, made 1970-01-01 00:00:00 UTC"):
        choose(snapshots, "1969-01-01")
    with pytest.raises(BackupError, match="no backup 'yesterday': latest, an id or a time"):
        choose(snapshots, "yesterday")


def test_the_latest_backup_is_not_taken_where_it_was_made_after_a_loss() -> None:
    full, half, empty = (Snapshot(name, 0, 0, size, "") for name, size in (("aa1", 100), ("bb2", 50), ("cc3", 0)))
    assert choose([full, half], "latest") == half
    assert choose([empty], "latest") == empty
    with pytest.raises(BackupError, match=r"\(cc3, .*\) holds less than half of an earlier one \(bb2, .*\), as after"):
        choose([full, half, empty], "latest")
    assert choose([full, half, empty], "cc3") == empty
