"""The table's URLs on this machine are waited for, and no others."""

import time

import pytest

from sandbox import table


def test_it_waits_until_each_answers_and_asks_nobody_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"http://localhost:1": ["no", "yes", "yes"], "http://localhost:2": ["no", "yes"], "http://b": ["-"]}
    monkeypatch.setattr(table, "_answers", lambda url: answers[url].pop(0))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    table.wait({url: url for url in list(answers)}, 60)
    assert answers == {url: [] for url in answers}


def test_it_waits_no_longer_than_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_answers", lambda _: "no")
    began = time.monotonic()
    table.wait({"a": "http://localhost:1"}, 0)
    assert time.monotonic() - began < 5
