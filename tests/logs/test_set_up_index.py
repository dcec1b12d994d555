"""The set-up of the index on a real Elasticsearch: new, again, half done, and after the template has changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.foundation.certificate import derived
from components.logs.index import set_up
from components.logs.index.set_up import ALIAS, SetUpError
from tests.elasticsearch.server import SUPERUSER, Server, password

from .template import FIRST_INDEX, FOLDER, VALUES, fields, template


@pytest.fixture
def empty(elasticsearch: Server) -> Iterator[Server]:
    yield elasticsearch
    for index in elasticsearch.ask("GET", f"/{ALIAS}*"):
        elasticsearch.ask("DELETE", f"/{index}")
    elasticsearch.call("DELETE", f"/_index_template/{ALIAS}")


@pytest.fixture
def server(empty: Server) -> set_up.Server:
    return reached(empty, empty.authority)


def reached(elasticsearch: Server, authority: Path) -> set_up.Server:
    login, patience = f"{SUPERUSER}:{password(SUPERUSER)}", set_up.Patience(seconds=5)
    return set_up.Server("Elasticsearch", elasticsearch.url, login, set_up.trust(authority), patience)


def state(elasticsearch: Server) -> Any:
    """Return what the set-up is about; an index that was made anew has another uuid."""
    return [elasticsearch.ask("GET", path) for path in (f"/{ALIAS}*", f"/_index_template/{ALIAS}")]


def test_lifecycle_and_all_else_as_the_job_sets_it_up(empty: Server, server: set_up.Server) -> None:
    set_up.set_up_elasticsearch(server, FOLDER, VALUES)
    before = state(empty)
    (index,) = before[0].values()
    assert index["settings"]["index"]["lifecycle"] == {"name": ALIAS, "rollover_alias": ALIAS}
    assert index["mappings"]["properties"]["mangakai"]["type"] == "flattened"
    set_up.set_up_elasticsearch(server, FOLDER, VALUES)
    assert state(empty) == before


@pytest.mark.parametrize(
    ("right", "wrong"), [('"rollover"', '"roll_over"'), ('"max_age"', '"age"'), ('"${RETENTION_DAYS}d"', '"soon"')]
)
def test_a_lifecycle_that_elasticsearch_does_not_know_is_named(
    server: set_up.Server, tmp_path: Path, right: str, wrong: str
) -> None:
    for file in FOLDER.glob("*.json"):
        (tmp_path / file.name).write_text(file.read_text())
    lifecycle = (tmp_path / "lifecycle.json").read_text()
    assert right in lifecycle
    (tmp_path / "lifecycle.json").write_text(lifecycle.replace(right, wrong))
    with pytest.raises(SetUpError, match=rf"/_ilm/policy/{ALIAS}: 400: .*{wrong[1:-1]}"):
        set_up.set_up_elasticsearch(server, tmp_path, VALUES)


def test_who_is_not_of_the_authority_is_not_spoken_to(empty: Server, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(derived("another seed, long enough for a test", "localhost")["ca.crt"])
    with pytest.raises(SetUpError, match="CA_FILE does not verify https://localhost"):
        set_up.set_up_elasticsearch(reached(empty, tmp_path / "ca.crt"), FOLDER, VALUES)


@pytest.mark.requirement("S-075")
def test_the_set_up_makes_what_is_written_to(empty: Server, server: set_up.Server) -> None:
    set_up.set_up_index(server, template())
    index = empty.ask("GET", f"/{ALIAS}*")
    assert index.keys() == {FIRST_INDEX}
    assert index[FIRST_INDEX]["aliases"] == {ALIAS: {"is_write_index": True}}
    assert fields(index[FIRST_INDEX]["mappings"]) == fields(template()["template"]["mappings"])
    settings = index[FIRST_INDEX]["settings"]["index"]
    assert (settings["codec"], settings["mapping"]["ignore_malformed"]) == ("best_compression", "true")
    assert empty.ask("POST", f"/{ALIAS}/_doc", {"message": "first"})["_index"] == FIRST_INDEX


def test_run_again_it_changes_nothing(empty: Server, server: set_up.Server) -> None:
    set_up.set_up_index(server, template())
    before = state(empty)
    set_up.set_up_index(server, template())
    assert state(empty) == before


def test_it_ends_what_an_earlier_run_began(empty: Server, server: set_up.Server) -> None:
    empty.ask("PUT", f"/_index_template/{ALIAS}", template())
    set_up.set_up_index(server, template())
    assert state(empty)[0].keys() == {FIRST_INDEX}


def test_an_index_without_the_alias_is_named(empty: Server, server: set_up.Server) -> None:
    empty.ask("PUT", f"/{FIRST_INDEX}", {})
    with pytest.raises(SetUpError, match=r"already exists.* add the alias to it, or delete it"):
        set_up.set_up_index(server, template())
    empty.ask(
        "POST", "/_aliases", {"actions": [{"add": {"index": FIRST_INDEX, "alias": ALIAS, "is_write_index": True}}]}
    )
    set_up.set_up_index(server, template())


def test_an_index_in_the_place_of_the_alias_is_named(empty: Server, server: set_up.Server) -> None:
    empty.ask("PUT", f"/{ALIAS}/_doc/1", {"message": "written before the set-up"})
    with pytest.raises(SetUpError, match=f"{ALIAS} is an index, where the write alias"):
        set_up.set_up_index(server, template())


def test_a_write_index_that_was_deleted_gets_a_successor(empty: Server, server: set_up.Server) -> None:
    set_up.set_up_index(server, template())
    empty.ask("POST", f"/{ALIAS}/_rollover")
    empty.ask("DELETE", f"/{ALIAS}-000002")
    assert empty.call("POST", f"/{ALIAS}/_doc", {"message": "lost"})[0] == 400
    set_up.set_up_index(server, template())
    written = {name: index["aliases"][ALIAS]["is_write_index"] for name, index in state(empty)[0].items()}
    assert written == {FIRST_INDEX: False, f"{ALIAS}-000002": True}
    assert empty.ask("POST", f"/{ALIAS}/_doc", {"message": "found"})["_index"] == f"{ALIAS}-000002"


def test_an_index_that_is_alone_behind_the_alias_is_written_to(empty: Server, server: set_up.Server) -> None:
    empty.ask("PUT", f"/{FIRST_INDEX}", {"aliases": {ALIAS: {}}})
    set_up.set_up_index(server, template())
    assert state(empty)[0].keys() == {FIRST_INDEX}


def test_a_new_field_comes_to_the_index_that_is_there(empty: Server, server: set_up.Server) -> None:
    older = template()
    del older["template"]["mappings"]["properties"]["trace"]
    set_up.set_up_index(server, older)
    set_up.set_up_index(server, template())
    mapping = state(empty)[0][FIRST_INDEX]["mappings"]
    assert fields(mapping) == fields(template()["template"]["mappings"])


def test_a_type_that_changed_needs_a_new_index_and_gets_it(empty: Server, server: set_up.Server) -> None:
    older = template()
    older["template"]["mappings"]["properties"]["trace"]["properties"]["id"] = {"type": "long"}
    set_up.set_up_index(server, older)
    with pytest.raises(SetUpError) as error:
        set_up.set_up_index(server, template())
    reason = "mapper [trace.id] cannot be changed from type [long] to [keyword]"
    assert reason in str(error.value)
    assert f"POST /{ALIAS}/_rollover" in str(error.value)
    empty.ask("POST", f"/{ALIAS}/_rollover")
    set_up.set_up_index(server, template())
    second = f"{ALIAS}-000002"
    indices = state(empty)[0]
    assert indices.keys() == {FIRST_INDEX, second}
    assert indices[second]["aliases"] == {ALIAS: {"is_write_index": True}}
    assert fields(indices[second]["mappings"])["trace.id"] == "keyword"


def test_replicas_are_brought_to_all_indices(empty: Server, server: set_up.Server) -> None:
    set_up.set_up_index(server, template())
    empty.ask("POST", f"/{ALIAS}/_rollover")
    more = template()
    more["template"]["settings"]["index"]["number_of_replicas"] = "1"
    set_up.set_up_index(server, more)
    assert {each["settings"]["index"]["number_of_replicas"] for each in state(empty)[0].values()} == {"1"}
