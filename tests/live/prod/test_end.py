"""The end of the stack `prod` on a live cluster, and its next beginning."""

import time

import pytest

from tests.live import checks
from tests.live.asking import bring_up, until
from tests.live.elastic import numbers
from tests.live.prod.prometheus import answer
from tests.sandbox.conftest import Api, Project, changes
from tests.sandbox.leftovers import left

DESTROY_SECONDS = 900


@pytest.mark.usefixtures("application")
def test_what_a_destroy_leaves_the_next_up_takes_up(project: Project, api: Api) -> None:
    replicas = ("prometheus-0", "prometheus-1")
    until(lambda: all(answer(project, "up", pod) for pod in replicas), 60, "a scrape")
    scraped = f"count(up @ {time.time():.0f})"
    written = until(lambda: numbers(project, api), 120, "lines in the index")
    # Each replica has its own: they do not learn of a target at the same moment.
    before = [answer(project, scraped, pod) for pod in replicas]
    claims = api.claims()
    began = time.monotonic()
    done = project.pulumi("prod", "destroy", "--yes", "--skip-preview", timeout=DESTROY_SECONDS)
    print(f"\ndestroy: {time.monotonic() - began:.0f} s, {changes(done)}")
    # Each ends in its own time, Elasticsearch after a minute.
    until(lambda: not api.get("/api/v1/namespaces/monitoring/pods")["items"], 240, "the end of every pod")
    kept = left(api)
    assert {what: names for what, names in kept.items() if names and what != "namespaces"} == {}
    assert kept["namespaces"] == {"monitoring"}
    assert api.claims() == claims
    for kind in ("services", "secrets"):
        assert api.get(f"/api/v1/namespaces/monitoring/{kind}")["items"] == [], kind
    config_maps = api.get("/api/v1/namespaces/monitoring/configmaps")["items"]
    names = {item["metadata"]["name"] for item in config_maps}
    assert names <= {"kube-root-ca.crt", "elastic-licensing", "elastic-operator-uuid"}, "not in the README's list"

    project.prepare("staging")
    refused = project.pulumi("staging", "preview")
    assert "namespace/monitoring: already there, and of stack mangakai-monitoring/prod" in refused.stdout
    assert api.claims() == claims

    bring_up(project, "prod")
    assert api.claims() == claims
    checks.every_pod_is_ready(api, 28)
    assert [answer(project, scraped, pod) for pod in replicas] == before
    until(lambda: numbers(project, api) >= written, 120, "the lines of before")
