"""One node for all tests here, with the roles and users of the logs' Elasticsearch, and its superuser."""

from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from components.elastic.users import roles_yml, users_of_logs
from sandbox.processes import SandboxError

from .node import Login, Node, prepared, running


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    try:
        program = prepared(tmp_path_factory.mktemp("classes"))
    except SandboxError as error:
        pytest.skip(str(error))
    users = users_of_logs(Mock())
    logins = [Login("elastic", "of-elastic", "superuser")]
    logins += [Login(user.name, f"of-{user.name}", user.role) for user in (users.user, *users.others)]
    with running(program, tmp_path_factory.mktemp("elasticsearch"), roles_yml(users.roles), logins) as running_node:
        yield running_node
