"""What the users of Elasticsearch may do, and the file that says it."""

from unittest.mock import Mock

import pytest
import yaml

from components.elastic.users import ElasticsearchUsers, roles_yml, users_of_logs, users_of_traces

LOGS, TRACES = users_of_logs(Mock()), users_of_traces(Mock())


@pytest.mark.parametrize("users", [LOGS, TRACES])
def test_the_file_of_roles_has_each_in_full(users: ElasticsearchUsers) -> None:
    """Elasticsearch takes an alias of YAML for a name, and says nothing."""
    text = roles_yml(users.roles)
    assert yaml.safe_load(text) == users.roles
    assert not [event for event in yaml.parse(text) if isinstance(event, yaml.AliasEvent)]


def test_logstash_may_add_lines_and_change_nothing() -> None:
    """`create_doc`, `write` and `index` allow another mapping too (tried on Elasticsearch 9.5.3)."""
    [rule] = LOGS.roles["logs_writer"]["indices"]
    assert {each for each in rule["privileges"] if not each.startswith("indices:data/write/")} == {
        "view_index_metadata"
    }
    assert not [each for each in rule["privileges"] if "mapping" in each or each.endswith("write/*")]


def test_grafana_may_ask_for_the_cluster_s_health() -> None:
    assert LOGS.roles["logs_reader"]["cluster"] == ["monitor"]
