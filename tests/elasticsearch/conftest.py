"""One Elasticsearch for all tests here, with the roles and users of the logs, and its superuser."""

from collections.abc import Iterator

import pytest

from . import server

PORT = 29720


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Server]:
    with server.running_with_the_logs_users(tmp_path_factory.mktemp("elasticsearch"), PORT) as running:
        yield running
