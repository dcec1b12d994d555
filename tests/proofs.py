"""Which rows of the guide the tests of a run have proven."""

import os

import pytest

from development.docs import requirements

# What a test's report says of the rows that it proves; it comes from the process that ran the test.
REQUIREMENT = "requirement"
FIRST_RUN = "requirements/not-built"


def add(report: pytest.TestReport, item: pytest.Item) -> None:
    """Say in the report of a test which rows it proves."""
    report.user_properties += [(REQUIREMENT, id_) for marker in item.iter_markers(REQUIREMENT) for id_ in marker.args]


class Proofs:
    """What the runs of `make test` have proven: a row by each of its tests, with each of their parameters."""

    def __init__(self) -> None:
        self.proven: dict[str, bool] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what became of a test."""
        for name, id_ in report.user_properties:
            if name == REQUIREMENT:
                assert isinstance(id_, str)
                self.proven[id_] = self.proven.get(id_, True) and report.passed

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Join both runs of `make test`. In CI these must have proven each row that a marked test is there for."""
        config, cache = session.config, session.config.cache
        assert cache
        if config.option.markexpr == "not built":
            cache.set(FIRST_RUN, self.proven)
        elif (
            config.option.markexpr == "built and not long" and config.args_source is pytest.Config.ArgsSource.TESTPATHS
        ):
            for id_, passed in cache.get(FIRST_RUN, {}).items():
                self.proven[id_] = self.proven.get(id_, True) and passed
            if os.environ.get("CI") and unproven(self.proven):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say of how many rows of the guide the marked tests ran, and which of these are not proven."""
        if self.proven:
            failed = sorted(id_ for id_, passed in self.proven.items() if not passed)
            words = f"; not proven: {', '.join(failed)}" if failed else ""
            terminalreporter.write_line(f"tests of {len(self.proven)} of {requirements.COUNT} requirements ran{words}")


def unproven(proven: dict[str, bool]) -> list[str]:
    """Return the rows that a marked test is there for, but of which not each test has run and passed."""
    return sorted(id_ for id_ in requirements.proofs() if not proven.get(id_))
