"""`make demo` on a stack that is up, from the fault to the mail that it is over."""

import re

import pytest

from sandbox.demo import show
from tests.sandbox.conftest import Project


@pytest.mark.requirement("S-139")
def test_a_fault_of_the_application_is_mailed_and_that_it_is_over(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # At the others a live cluster may answer, whose tests run beside these.
    monkeypatch.setattr(show, "PORTS", show.PORTS_BESIDE)
    status = show.demo(project.sandbox, "local", "errors", speed=20)
    told = capsys.readouterr().out
    with capsys.disabled():
        print("\n" + "\n".join(re.findall(r"^ +[\d.]+ s  (?:HighErrorRate|MAIL|SLACK).*", told, re.MULTILINE)))
    assert status == 0, told
    fault, mended = told.split("--- The fault is mended ---")
    assert "SLACK #alerts-critical: Critical Alert: HighErrorRate" in fault
    assert "RESOLVED" not in fault
    assert "[RESOLVED] [CRITICAL] MangakAI Alert: HighErrorRate" in mended
    assert not (project.sandbox.directory / "demo").exists()
