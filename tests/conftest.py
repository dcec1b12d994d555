"""Which tests need the programs that are built, that CI skips none, and which rows of the guide were proven."""

import os
from collections.abc import Generator, Iterator

import pytest

from development.docs import requirements
from tests.github import GitHub
from tests.leftovers import end_leftovers
from tests.offline import ROOT
from tests.serving import serving

pytest.register_assert_rewrite(*(f"tests.sandbox.{name}" for name in ("backups", "elk", "jaeger", "workloads")))
pytest.register_assert_rewrite(
    *(f"tests.live.{name}" for name in ("application", "asking", "checks", "cluster", "elastic", "people"))
)


@pytest.fixture(scope="module")
def github() -> Iterator[GitHub]:
    """What answers as GitHub's API."""
    server = GitHub()
    with serving(server):
        yield server


def pytest_sessionstart() -> None:
    """End what an earlier run left behind when it was killed: it holds ports that tests of this one need."""
    for line in end_leftovers():
        print(line)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what lies outside `unit/` and `aws/`: all of it runs programs that `python -m sandbox.build` builds."""
    for item in items:
        if not any(item.path.is_relative_to(ROOT / "tests" / folder) for folder in ("unit", "aws")):
            item.add_marker(pytest.mark.built)
    whole_files = not any("::" in argument for argument in config.args)
    if os.environ.get("CI") and whole_files and (lost := not_collected(items)):
        raise pytest.UsageError(f"marked tests that pytest does not see prove nothing: {', '.join(lost)}")


def not_collected(items: list[pytest.Item]) -> list[str]:
    """Return the tests with a marker of a requirement that are in the items' files, but not among the items."""
    collected = {item.nodeid.partition("[")[0] for item in items}
    files = {item.path for item in items}
    marked = {f"{file.relative_to(ROOT).as_posix()}::{name}" for file in files for name, _ in requirements.marked(file)}
    return sorted(marked - collected)


FIRST_RUN = "requirements/not-built"
PROVEN = pytest.StashKey[dict[str, bool]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed one: something that the checkout must install is not there."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
    # A row is proven by a run in which each of its tests, with each of their parameters, has passed.
    proven = item.config.stash.setdefault(PROVEN, {})
    for marker in item.iter_markers("requirement"):
        for id_ in marker.args:
            proven[id_] = proven.get(id_, True) and report.passed
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Join both runs of `make test`. In CI these must have proven each row that a marked test is there for."""
    config, cache = session.config, session.config.cache
    assert cache
    proven = config.stash.setdefault(PROVEN, {})
    if config.option.markexpr == "not built":
        cache.set(FIRST_RUN, proven)
    elif config.option.markexpr == "built and not long" and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        for id_, passed in cache.get(FIRST_RUN, {}).items():
            proven[id_] = proven.get(id_, True) and passed
        if os.environ.get("CI") and unproven(proven):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def unproven(proven: dict[str, bool]) -> list[str]:
    """Return the rows that a marked test is there for, but of which not each test has run and passed."""
    return sorted(id_ for id_ in requirements.proofs() if not proven.get(id_))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say of how many rows of the guide the marked tests ran, and which of these are not proven."""
    if proven := config.stash.get(PROVEN, {}):
        failed = sorted(id_ for id_, passed in proven.items() if not passed)
        words = f"; not proven: {', '.join(failed)}" if failed else ""
        terminalreporter.write_line(f"tests of {len(proven)} of {requirements.COUNT} requirements ran{words}")
