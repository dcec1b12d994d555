"""Which tests need the programs that are built, which run beside others, and that CI skips none."""

import json
import os
from collections.abc import Generator, Iterator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from development.docs import requirements
from tests import proofs
from tests.github import GitHub
from tests.leftovers import end_leftovers
from tests.offline import ROOT
from tests.serving import serving

pytest.register_assert_rewrite(
    *(f"tests.sandbox.{name}" for name in ("backups", "elk", "jaeger", "pod_security", "workloads"))
)
pytest.register_assert_rewrite(
    *(f"tests.live.{name}" for name in ("application", "asking", "checks", "cluster", "elastic", "people"))
)


@pytest.fixture(scope="module")
def github() -> Iterator[GitHub]:
    """What answers as GitHub's API."""
    server = GitHub()
    with serving(server):
        yield server


def pytest_configure(config: pytest.Config) -> None:
    """Count what is proven where the reports of all processes of a run come together."""
    if not is_worker(config):
        config.pluginmanager.register(proofs.Proofs())


def pytest_sessionstart(session: pytest.Session) -> None:
    """End what an earlier run left behind when it was killed: it holds ports that tests of this one need."""
    if not is_worker(session.config):
        for line in end_leftovers():
            print(line)


def is_worker(config: pytest.Config) -> bool:
    """Return whether this is one of the processes among which pytest-xdist divides a run."""
    return hasattr(config, "workerinput")


class FolderByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process a folder of tests after the other: within one, tests share what they start, and its ports."""

    def _split_scope(self, nodeid: str) -> str:
        return "/".join(nodeid.split("/")[:2])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """Divide a run whose tests share what they start; others are divided as --dist says."""
    return FolderByFolder(config, log) if config.option.dist == "loadscope" else None


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed one: something that the checkout must install is not there."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
    proofs.add(report, item)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """Replace what is no character in a report, as tests log it on purpose: pytest-xdist ends its process over one."""
    report = yield
    return json.loads(json.dumps(report, ensure_ascii=False).encode(errors="replace"))
