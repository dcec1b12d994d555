"""Prometheus' blocks: saved while it runs, lost, restored; the same queries give the same answers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backup_agent import BackupError
from backup_agent import __main__ as program
from backup_agent.blocks import Blocks, read
from backup_agent.snapshot import Backup
from tests.backup_agent.conftest import BUCKET, Prometheus, Storage, wait

HOURS = 12
BEGIN = time.time() // 7200 * 7200 - 3600 * 48


@pytest.fixture
def environment(environment: dict[str, str], prometheus: Prometheus) -> dict[str, str]:
    return {**environment, "PROMETHEUS_DATA": str(prometheus.data)}


@pytest.fixture
def filled(prometheus: Prometheus) -> Prometheus:
    prometheus.fill(BEGIN, HOURS)
    return prometheus


def made(environment: dict[str, str]) -> Backup:
    return program.backup("prometheus", environment)


@pytest.mark.usefixtures("storage")
@pytest.mark.requirement("S-126")
def test_what_was_lost_is_restored_into_a_running_prometheus(
    filled: Prometheus, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    filled.start()
    before = filled.answers(BEGIN, HOURS)
    assert len(before) == 20
    assert program.main(["save", "prometheus"], environment) == 0
    saved = json.loads(capsys.readouterr().out)
    assert saved["newest"] == pytest.approx(BEGIN + 3600 * HOURS, abs=7200)
    filled.stop()
    shutil.rmtree(filled.data)
    filled.data.mkdir()
    filled.start()
    assert filled.answers(BEGIN, HOURS) == []
    began = time.monotonic()
    assert program.main(["restore", "prometheus"], environment) == 0
    told = capsys.readouterr().out
    assert "restoring prometheus from" in told
    assert told.count("restored block") == len(read(filled.data))
    wait(lambda: len(filled.answers(BEGIN, HOURS)) == 20, 90)
    with capsys.disabled():
        print(f"\n  restored and taken up in {time.monotonic() - began:.0f} s")
    assert filled.answers(BEGIN, HOURS) == before
    # Again: nothing to do, and nothing left lying about.
    assert program.main(["restore", "prometheus"], environment) == 0
    assert "restored block" not in capsys.readouterr().out
    assert not list(filled.data.glob(".*"))


def test_a_second_backup_sends_what_is_new_only(
    prometheus: Prometheus, storage: Storage, environment: dict[str, str]
) -> None:
    prometheus.fill(BEGIN, HOURS, series=300)
    one = made(environment)
    one.save()
    first = sum(len(storage.content(key)) for key in storage.keys("prometheus/prometheus-0/data/"))
    one.save()
    again = sum(len(storage.content(key)) for key in storage.keys("prometheus/prometheus-0/data/"))
    print(f"\n  sent at first {first} bytes, then {again - first}")
    assert again < first * 1.1
    prometheus.fill(BEGIN + 3600 * HOURS, 2)
    last = one.save()
    assert last.newest == pytest.approx(BEGIN + 3600 * (HOURS + 2), abs=3600)
    assert len(one.snapshots()) == 3


def test_the_backups_of_another_stack_are_read_and_left_as_they_are(
    filled: Prometheus, storage: Storage, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    made(environment).save()
    count, before = len(read(filled.data)), storage.keys("")
    shutil.rmtree(filled.data)
    filled.data.mkdir()
    fresh = {**environment, "BACKUP_STORAGE": environment["BACKUP_STORAGE"].replace(BUCKET, "a-new-one")}
    assert program.main(["list", "prometheus", "--bucket", BUCKET], fresh) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
    assert program.main(["restore", "prometheus", "--bucket", BUCKET], fresh) == 0
    assert len(read(filled.data)) == count
    assert storage.keys("") == before


def test_restic_alone_brings_back_what_prometheus_reads(
    filled: Prometheus, tmp_path: Path, environment: dict[str, str], storage: Storage
) -> None:
    """As docs/backups.md says it of a cluster that is lost."""
    made(environment).save()
    assert storage.keys("prometheus/prometheus-0/")
    repository = f"{environment['BACKUP_STORAGE']}/prometheus/prometheus-0"
    command = ["restic", "restore", f"latest:{filled.data}/.backup", "--target", str(tmp_path / "blocks")]
    subprocess.run(command, env={**environment, "RESTIC_REPOSITORY": repository}, check=True, capture_output=True)
    elsewhere = Prometheus(tmp_path / "blocks")
    elsewhere.start()
    try:
        assert len(elsewhere.answers(BEGIN, HOURS)) == 20
    finally:
        elsewhere.stop()


@pytest.mark.usefixtures("storage", "filled")
def test_nothing_is_readable_without_the_password(storage: Storage, environment: dict[str, str]) -> None:
    made(environment).save()
    stored = b"".join(storage.content(key) for key in storage.keys(""))
    assert b"work_done" not in stored
    assert b"worker" not in stored
    with pytest.raises(BackupError, match="wrong password"):
        made({**environment, "RESTIC_PASSWORD": "another"}).save()


def test_a_damaged_object_is_found_and_not_restored(
    filled: Prometheus, storage: Storage, environment: dict[str, str]
) -> None:
    one = made(environment)
    snapshot = one.save()
    one.check()
    key = max(storage.keys("prometheus/prometheus-0/data/"), key=lambda key: len(storage.content(key)))
    content = bytearray(storage.content(key))
    content[len(content) // 2] ^= 0xFF
    storage.client.put_object(Bucket="mangakai-backups", Key=key, Body=bytes(content))
    whole = {**environment, "RESTIC_CACHE_DIR": environment["RESTIC_CACHE_DIR"] + "-new"}
    repository = program.backup("prometheus", whole)
    with pytest.raises(BackupError, match="restic check"):
        repository._repository.check("1/1")  # type: ignore[attr-defined]
    shutil.rmtree(filled.data)
    filled.data.mkdir()
    with pytest.raises(BackupError, match="restic restore"):
        list(repository.restore(snapshot, overwrite=False))
    assert read(filled.data) == []
    assert not list(filled.data.glob(".*"))


def test_a_backup_that_was_killed_is_caught_up(
    filled: Prometheus, storage: Storage, environment: dict[str, str]
) -> None:
    made(environment).save()
    filled.fill(BEGIN + 3600 * HOURS, 48, series=200)
    command = [sys.executable, "-m", "backup", "save", "prometheus"]
    process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL)
    wait(lambda: (filled.data / ".backup").exists() and storage.keys("prometheus/prometheus-0/locks/"), 30)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (filled.data / ".backup").exists(), "it was over before it could be killed"
    one = made(environment)
    assert len(one.snapshots()) == 1
    assert one.save().newest > BEGIN + 3600 * 48
    one.check()
    assert len(one.snapshots()) == 2
    assert not (filled.data / ".backup").exists()


def test_blocks_of_the_same_time_are_in_the_way_unless_told(filled: Prometheus, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    shutil.copytree(filled.data, saved)
    for block in read(filled.data):
        shutil.rmtree(block.folder)
    filled.fill(BEGIN, 4, series=1)
    before = {block.folder.name for block in read(filled.data)}
    with pytest.raises(BackupError, match="other blocks of the same time"):
        list(Blocks(filled.data).restore(saved, overwrite=False))
    assert {block.folder.name for block in read(filled.data)} == before
    count = len(read(saved))
    lines = list(Blocks(filled.data).restore(saved, overwrite=True))
    assert len(lines) == count + 1
    assert len(read(filled.data)) == len(before) + count


def test_a_block_that_compaction_replaces_meanwhile_is_not_missed(
    filled: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = read(filled.data)
    old, link = blocks[0].folder, os.link
    new = filled.data / "01ARZ3NDEKTSV4RRFFQ69G5FAV"

    def compact(source: str, target: str, **_: object) -> None:
        if not new.exists():
            shutil.copytree(old, new)
            shutil.rmtree(old)
        link(source, target)

    monkeypatch.setattr(os, "link", compact)
    with Blocks(filled.data).staged() as staged:
        names = {block.folder.name for block in read(staged.folder)}
        inodes = {path.stat().st_ino for path in staged.folder.rglob("*") if path.is_file()}
    assert names == {new.name, *(block.folder.name for block in blocks[1:])}
    assert inodes == {
        path.stat().st_ino for block in read(filled.data) for path in block.folder.rglob("*") if path.is_file()
    }


def test_without_a_block_the_beginning_of_the_log_is_what_is_not_saved(prometheus: Prometheus) -> None:
    (prometheus.data / "wal").mkdir()
    (prometheus.data / "wal" / "00000000").write_text("")
    os.utime(prometheus.data / "wal" / "00000000", (1000, 1000))
    with Blocks(prometheus.data).staged() as staged:
        assert staged.newest == 1000
        assert list(staged.folder.iterdir()) == []
