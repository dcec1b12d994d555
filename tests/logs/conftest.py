"""One node for all tests here."""

from collections.abc import Iterator

import pytest

from . import opensearch


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[opensearch.Node]:
    with opensearch.running(tmp_path_factory.mktemp("opensearch")) as running:
        yield running
