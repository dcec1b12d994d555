"""One OpenSearch for all tests here, which runs the filters, and one Elasticsearch, which keeps the index."""

from collections.abc import Iterator

import pytest

from components.logs.index.set_up import ALIAS
from tests.elasticsearch import server

from . import opensearch
from .template import FIRST_INDEX, template

PORT = 29700


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[opensearch.Node]:
    with opensearch.running(tmp_path_factory.mktemp("opensearch")) as running:
        yield running


@pytest.fixture(scope="session")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Server]:
    """An Elasticsearch with the users of the logs."""
    with server.running_with_the_logs_users(tmp_path_factory.mktemp("elasticsearch"), PORT) as running:
        yield running


@pytest.fixture(scope="module")
def indexed(elasticsearch: server.Server) -> Iterator[server.Server]:
    """The same, with the template, and the index that is written to."""
    elasticsearch.ask("PUT", f"/_index_template/{ALIAS}", template())
    elasticsearch.ask("PUT", f"/{FIRST_INDEX}", {"aliases": {ALIAS: {"is_write_index": True}}})
    yield elasticsearch
    for index in elasticsearch.ask("GET", f"/{ALIAS}*"):
        elasticsearch.ask("DELETE", f"/{index}")
    elasticsearch.ask("DELETE", f"/_index_template/{ALIAS}")
