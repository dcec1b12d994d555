"""What Elastic's operator refuses, told apart from what it only waits for."""

from pathlib import Path
from typing import Any

import pytest
from kubernetes import config

from components.foundation.elastic_status import refusal, refusals
from tests.unit.components.foundation.cluster_api import CONTEXT, answering, lead_to

REFUSED = "decreasing storage size is not supported: an attempt was made to decrease storage size for claim x"
WAITING = "Elasticsearch cannot be reached yet, re-queuing"
PATH = "/apis/elasticsearch.k8s.elastic.co/v1/namespaces/monitoring/elasticsearches"


def elasticsearch(status: str, message: str, kind: str = "ReconciliationComplete") -> dict[str, Any]:
    conditions = [{"type": kind, "status": status, "message": message}]
    return {"metadata": {"name": "mangakai-logs"}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("item", "is_refused"),
    [
        (elasticsearch("False", REFUSED), True),
        (elasticsearch("False", WAITING), False),
        (elasticsearch("True", ""), False),
        (elasticsearch("False", REFUSED, "ElasticsearchIsReachable"), False),
        ({"metadata": {"name": "new"}}, False),
        ({"metadata": {"name": "new"}, "status": {"conditions": None}}, False),
    ],
)
def test_an_error_is_a_refusal_and_a_sentence_is_none(item: dict[str, Any], is_refused: bool) -> None:
    assert (refusal(item) is not None) == is_refused


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, objects: dict[str, Any], status: int = 0) -> list[str]:
    with answering(objects, {PATH: status} if status else None) as address:
        lead_to(address, folder, monkeypatch)
        return list(refusals(config.new_client_from_config(context=CONTEXT)))  # type: ignore[no-untyped-call]


def test_the_operators_words_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [elasticsearch("False", REFUSED), elasticsearch("False", WAITING)]
    (line,) = told(tmp_path, monkeypatch, {PATH: {"items": items}})
    assert line.startswith("Elasticsearch mangakai-logs is not what the last update asked for")
    assert line.endswith(REFUSED)


def test_a_cluster_without_elasticsearch_and_one_that_may_not_be_read_say_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(tmp_path, monkeypatch, {}) == []
    assert told(tmp_path, monkeypatch, {}, 403) == []
