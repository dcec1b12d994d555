"""Which tests need the programs that are built, and that CI skips none."""

import os
from collections.abc import Generator

import pytest

from tests.program import ROOT

pytest.register_assert_rewrite("tests.sandbox.backups", "tests.sandbox.elk", "tests.sandbox.jaeger")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies outside `unit/` and `aws/`: all of it runs programs that `python -m sandbox.build` builds."""
    for item in items:
        if not any(item.path.is_relative_to(ROOT / "tests" / folder) for folder in ("unit", "aws")):
            item.add_marker(pytest.mark.built)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed one: something that the checkout must install is not there."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
    return report
