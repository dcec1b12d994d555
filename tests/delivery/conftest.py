"""All scenarios at once, each in a demo of its own: they mostly wait."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from components.metrics import notifications
from components.settings import read_file
from operations import render
from sandbox.build import ensure
from sandbox.demo.loopback import Ports
from sandbox.demo.watch import PROGRAMS, Watch
from tests.delivery.scenarios import SCENARIOS, Scenario
from tests.offline import ROOT

FIRST_PORT = 29200


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, "Future[None]"]]:
    """Play every scenario with production's configuration; each future holds what came of it."""
    ensure(PROGRAMS)
    settings = read_file(ROOT / "Pulumi.prod.yaml")
    files = render.stack_files("prod")
    files["templates/links.tmpl"] = notifications.links("https://grafana.example.com", "https://kibana.example.com")

    def play(scenario: Scenario, folder: Path, ports: Ports) -> None:
        with Watch(files, folder, ports, settings.application.namespace, "canary-mail-2b71", scenario.speed) as watch:
            scenario.play(watch)

    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        yield {
            name: pool.submit(
                play,
                scenario,
                tmp_path_factory.mktemp(name),
                Ports(*range(FIRST_PORT + 10 * index, FIRST_PORT + 10 * index + 5)),
            )
            for index, (name, scenario) in enumerate(SCENARIOS.items())
        }
