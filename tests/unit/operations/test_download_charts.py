"""`make charts`: how charts are downloaded from their repositories and locked."""

import http.server
import json
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.foundation.chart_pins import PINS, Chart, archive
from operations import download_charts
from tests.serving import serving


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def say_nothing(_: str) -> None:
    pass


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Return the folder of a chart repository with an archive of each pin, which `pins` points to."""
    folder = tmp_path / "repository"
    folder.mkdir()
    entries: dict[str, list[dict[str, Any]]] = {}
    for chart, pin in PINS.items():
        content = f"archive of {chart}".encode()
        (folder / archive("", chart).name).write_bytes(content)
        entries[chart] = [
            {"apiVersion": "v2", "description": "two\n\nparagraphs", "urls": ["gone.tgz"], "version": "99.0.0"},
            {
                "apiVersion": "v2",
                "dependencies": [{"name": "other", "version": pin.version}],
                "digest": sha256(content).hexdigest(),
                "urls": [archive("", chart).name],
                "version": pin.version,
            },
        ]
    (folder / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": entries}))
    return folder


@pytest.fixture
def pins(published: Path) -> Iterator[dict[str, Chart]]:
    handler = partial(Quiet, directory=str(published))
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
        yield {chart: Chart(f"http://127.0.0.1:{port}", pin.version) for chart, pin in PINS.items()}


def test_charts_are_fetched_once_and_locked(pins: dict[str, Chart], tmp_path: Path) -> None:
    lines: list[str] = []
    directory, lock = tmp_path / "charts", tmp_path / "lock.json"
    archives, problems = download_charts.download(pins, directory, lock, lines.append)
    assert not problems
    assert len(lines) == len(archives) == len(PINS)
    assert lines[0] == "[1 of 10] prometheus 29.27.0: fetched, 0 KiB"
    assert {file.name for file in directory.iterdir()} == set(json.loads(lock.read_text()))
    again, problems = download_charts.download(
        {chart: Chart("http://127.0.0.1:1", pin.version) for chart, pin in pins.items()}, directory, lock, lines.append
    )
    assert not problems
    assert not any(one.fetched for one in again)
    assert lines[-1].endswith("jaeger-operator 2.57.0: present, 0 KiB")


def test_an_archive_that_is_not_the_locked_one_is_refused_and_removed(
    pins: dict[str, Chart], published: Path, tmp_path: Path
) -> None:
    directory, lock = tmp_path / "charts", tmp_path / "lock.json"
    before, _ = download_charts.download(pins, directory, lock, say_nothing)
    locked = next(one.sha256 for one in before if one.chart == "grafana")
    for folder in (directory, published):
        archive(str(folder), "grafana").write_bytes(b"something else")
    archives, problems = download_charts.download(pins, directory, lock, say_nothing)
    assert {one.chart for one in archives} == {*PINS} - {"grafana"}
    (problem,) = problems
    assert problem.startswith("grafana-12.11.1.tgz: ")
    assert sha256(b"something else").hexdigest() in problem
    assert locked in problem
    assert "run: make charts" in problem
    assert not archive(str(directory), "grafana").exists()
    assert json.loads(lock.read_text())["grafana-12.11.1.tgz"] == locked


def test_a_damaged_archive_in_the_directory_is_fetched_again(pins: dict[str, Chart], tmp_path: Path) -> None:
    directory, lock = tmp_path / "charts", tmp_path / "lock.json"
    download_charts.download(pins, directory, lock, say_nothing)
    archive(str(directory), "grafana").write_bytes(b"half of")
    archives, problems = download_charts.download(pins, directory, lock, say_nothing)
    assert not problems
    assert [one.chart for one in archives if one.fetched] == ["grafana"]


def test_a_first_download_must_be_what_the_index_says(pins: dict[str, Chart], published: Path, tmp_path: Path) -> None:
    archive(str(published), "grafana").write_bytes(b"half of")
    _, problems = download_charts.download(pins, tmp_path / "charts", tmp_path / "lock.json", say_nothing)
    assert len(problems) == 1
    assert "the repository's index says" in problems[0]
    assert "grafana-12.11.1.tgz" not in json.loads((tmp_path / "lock.json").read_text())


def test_what_no_digest_is_committed_of_is_refused_where_a_stack_is_touched(
    pins: dict[str, Chart], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, lock = tmp_path / "charts", tmp_path / "lock.json"
    download_charts.download(pins, directory, lock, say_nothing)
    digests = json.loads(lock.read_text())
    monkeypatch.setattr(download_charts, "PINS", pins)
    monkeypatch.setattr(download_charts, "LOCK", lock)
    monkeypatch.setattr("sys.argv", ["charts", "--directory", str(directory), "--locked"])
    assert download_charts.main() == 0

    # Also where the archive of a run before lies there: nobody vouches for it.
    del digests["grafana-12.11.1.tgz"]
    lock.write_text(json.dumps(digests))
    assert download_charts.main() == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "charts: grafana-12.11.1.tgz: lock.json has no digest of it. Run make charts and commit lock.json"
    )
    assert json.loads(lock.read_text()) == digests


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: archive(str(folder), "grafana").unlink(), "does not answer: HTTP Error 404"),
        (lambda folder: (folder / "index.yaml").write_text("entries: {}\n"), "has no grafana 12.11.1"),
    ],
)
def test_what_a_repository_lacks_is_said(
    pins: dict[str, Chart], published: Path, tmp_path: Path, change: Any, message: str
) -> None:
    change(published)
    _, problems = download_charts.download(
        {"grafana": pins["grafana"]}, tmp_path / "charts", tmp_path / "lock.json", say_nothing
    )
    assert message in problems[0]


def test_the_lock_names_pinned_archives_only() -> None:
    assert set(json.loads(download_charts.LOCK.read_text())) <= {archive("", chart).name for chart in PINS}
