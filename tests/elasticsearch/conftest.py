"""One Elasticsearch for all tests here, with the roles and users of the logs, and its superuser."""

from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from components.elastic.users import users_of_logs

from . import server

PORT = 29720


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Server]:
    access = server.access(users_of_logs(Mock()))
    with server.running(tmp_path_factory.mktemp("elasticsearch"), PORT, access) as running:
        print(f"\nElasticsearch up in {running.started_in:.1f} s")
        yield running
