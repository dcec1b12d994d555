"""Grafana's database, as SQLite has it: Grafana itself cannot be built here."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from backup_agent import BackupError
from backup_agent import __main__ as program


@pytest.fixture
def live(tmp_path: Path) -> Path:
    file = tmp_path / "grafana" / "grafana.db"
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE user (id INTEGER PRIMARY KEY, login TEXT)")
        database.execute("INSERT INTO user (login) VALUES ('admin'), ('mei')")
        database.commit()
    return file


@pytest.fixture
def environment(environment: dict[str, str], live: Path) -> dict[str, str]:
    return {**environment, "GRAFANA_DATABASE": str(live)}


def logins(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        return [login for (login,) in database.execute("SELECT login FROM user ORDER BY id")]


@pytest.mark.usefixtures("storage")
@pytest.mark.requirement("S-127")
def test_it_is_restored_while_it_is_open_when_told(live: Path, environment: dict[str, str]) -> None:
    one = program.backup("grafana", environment)
    snapshot = one.save()
    with closing(sqlite3.connect(live)) as grafana:
        grafana.execute("DELETE FROM user WHERE login = 'mei'")
        grafana.commit()
        with pytest.raises(BackupError, match="is in use: told to overwrite"):
            list(one.restore(snapshot, overwrite=False))
        assert logins(live) == ["admin"]
        told = list(one.restore(snapshot, overwrite=True))
        # The connection that was open all the while sees it.
        assert grafana.execute("SELECT count(*) FROM user").fetchone() == (2,)
    assert logins(live) == ["admin", "mei"]
    assert logins(live.with_name("grafana.db.before-restore")) == ["admin"]
    assert "kept what was there" in told[0]


@pytest.mark.usefixtures("storage")
def test_each_backup_of_the_last_day_is_kept(environment: dict[str, str]) -> None:
    """One that was made after a loss must not take the place of the good one of the same hour."""
    one = program.backup("grafana", environment)
    made = [one.save().id for _ in range(3)]
    one.check()
    assert [snapshot.id for snapshot in one.snapshots()] == made


@pytest.mark.usefixtures("storage")
def test_what_is_saved_is_of_one_moment_though_grafana_writes(live: Path, environment: dict[str, str]) -> None:
    """Each transaction writes two rows: a copy of the file, page by page, could hold one of them."""
    end = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(live, timeout=30)) as grafana:
            while not end.is_set():
                with grafana:
                    grafana.execute("INSERT INTO user (login) VALUES (?)", ("x" * 5000,))
                    grafana.execute("INSERT INTO user (login) VALUES (?)", ("y" * 5000,))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        one = program.backup("grafana", environment)
        snapshots = [one.save() for _ in range(3)]
    finally:
        end.set()
        writer.join()
    list(one.restore(snapshots[-1], overwrite=True))
    found = logins(live)
    assert len(found) > 10
    assert found.count("x" * 5000) == found.count("y" * 5000)


@pytest.mark.usefixtures("storage")
def test_a_damaged_database_is_not_saved_as_if_it_were_whole(live: Path, environment: dict[str, str]) -> None:
    content = bytearray(live.read_bytes())
    content[4096:4200] = b"\xff" * 104
    live.write_bytes(bytes(content))
    with pytest.raises(BackupError, match=r"damaged|cannot copy"):
        program.backup("grafana", environment).save()


@pytest.mark.usefixtures("storage")
def test_before_grafana_has_one_that_is_said(live: Path, environment: dict[str, str]) -> None:
    live.unlink()
    with pytest.raises(BackupError, match="Grafana has made no database yet"):
        program.backup("grafana", environment).save()
    assert not live.exists()
