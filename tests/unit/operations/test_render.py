"""`make render`: what it writes, and what it leaves alone."""

import sys
from pathlib import Path

import pytest

from operations import render


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_is_no_longer_rendered_goes_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "build" / "prod"
    render.write({"prometheus.yml": "1", "rules/a.yml": "2"}, out)
    (out / "notes.txt").write_text("of the user's")
    render.write({"prometheus.yml": "3"}, out)
    assert files(out) == {render.LISTING, "prometheus.yml", "notes.txt"}
    assert (out / "prometheus.yml").read_text() == "3"


def test_a_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "theirs.yml").write_text("1")
    monkeypatch.setattr(sys, "argv", ["make render", "--stack", "local", "--out", str(tmp_path)])
    assert render.main() == 2
    assert "has files that make render did not write" in capsys.readouterr().err
    assert files(tmp_path) == {"rules/theirs.yml"}


def test_a_listing_leads_to_nothing_outside(tmp_path: Path) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside.txt"
    render.write({"prometheus.yml": "1"}, out)
    (out / "rules").mkdir()
    outside.write_text("of somebody else")
    (out / render.LISTING).write_text(f"../outside.txt\n{outside}\n\nrules\n")
    render.write({"prometheus.yml": "2"}, out)
    assert outside.exists()
    assert (out / "rules").exists()


def test_a_stack_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["make render", "--stack", "qa", "--out", str(tmp_path / "qa")])
    assert render.main() == 2
    assert "Pulumi.qa.yaml does not exist; there are: kind, local, prod, staging" in capsys.readouterr().err
    assert not (tmp_path / "qa").exists()


def test_no_secret_is_rendered() -> None:
    for path, text in render.stack_files("prod").items():
        assert "secret.invalid" not in text, path
