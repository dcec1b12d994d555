"""The rules over pod templates and Roles: what breaks each, what does not, and the faults that they were made for."""

from pathlib import Path

import pytest

from components.foundation.pod_security import AS_NOBODY, NON_ROOT, RESTRICTED
from development.workload_rules import EXCEPTIONS, Broken, Excuse, broken
from development.workload_rules.images import IMAGES, repository
from development.workload_rules.signals import ENDING
from tests.offline import ROOT, STACKS, run
from tests.unit.development.workload_objects import (
    BREAKING,
    FINE,
    RELOADER,
    REQUESTS,
    SECCOMP,
    WRITES,
    Object,
    binding,
    container,
    elasticsearch,
    jaeger,
    may,
    role,
    workload,
)


def rules_broken(*objects: Object) -> list[str]:
    return sorted({finding.rule for finding in broken(objects, ())})


CASES = [
    pytest.param(rule, one, id=f"{rule}-{index}") for rule, some in BREAKING.items() for index, one in enumerate(some)
]


@pytest.mark.parametrize(("rule", "one"), CASES)
def test_each_rule_finds_what_breaks_it_and_nothing_else(rule: str, one: Object) -> None:
    assert rules_broken(one) == [rule]


@pytest.mark.parametrize("objects", FINE.values(), ids=FINE)
def test_what_breaks_no_rule(objects: list[Object]) -> None:
    assert rules_broken(*objects) == []


def test_a_cluster_role_that_is_also_bound_cluster_wide() -> None:
    bound = [binding(kind, "ClusterRole") for kind in ("RoleBinding", "ClusterRoleBinding")]
    assert rules_broken(role("ClusterRole", may("create", "pods")), *bound) == ["creates-pods-cluster-wide"]


def test_alertmanager_that_never_started() -> None:
    """RunAsNonRoot for the whole pod, and for the reloader no number, where its image says nobody."""
    alertmanager = container("alertmanager", image="quay.io/prometheus/alertmanager:v0.34.0", **WRITES)
    alertmanager["securityContext"] = {**RESTRICTED, "runAsGroup": 65534, "runAsNonRoot": True, "runAsUser": 65534}
    reloader = container("alertmanager-configmap-reload", securityContext=RESTRICTED)
    pod = {"securityContext": {"fsGroup": 65534, **NON_ROOT}}
    claims = [{"metadata": {"name": "data"}}]
    [found] = broken([workload(alertmanager, reloader, kind="StatefulSet", pod=pod, volumeClaimTemplates=claims)], ())
    assert found.rule == "non-root-user"
    assert found.object == "StatefulSet here/one/alertmanager-configmap-reload"
    assert "USER nobody" in found.wrong
    pod = {"securityContext": AS_NOBODY}
    assert (
        broken([workload(alertmanager, reloader, kind="StatefulSet", pod=pod, volumeClaimTemplates=claims)], ()) == []
    )


def test_elasticsearch_that_could_not_write() -> None:
    """A securityContext of ours, seccomp only, takes ECK's fsGroup away."""
    claims = [{"metadata": {"name": "elasticsearch-data"}}]
    [found] = broken([elasticsearch({"securityContext": SECCOMP}, volumeClaimTemplates=claims)], ())
    assert (found.rule, found.object) == ("volume-group", "Elasticsearch here/one/default")
    assert "leave the securityContext out" in found.mend
    assert broken([elasticsearch({}, volumeClaimTemplates=claims)], ()) == []


def test_jaeger_that_stopped_both_collectors_at_each_change() -> None:
    """No strategy, which to the operator is Recreate; and an index cleaner without requests."""
    part = {"replicas": 2, **REQUESTS}
    cleaner = {"enabled": True, "image": "jaegertracing/jaeger-es-index-cleaner:1.76.0"}
    found = broken(
        [jaeger(collector=part, query=part, storage={"type": "elasticsearch", "esIndexCleaner": cleaner})], ()
    )
    assert [(one.rule, one.object) for one in found] == [
        ("stops-at-once", "Jaeger here/one/collector"),
        ("stops-at-once", "Jaeger here/one/query"),
        ("no-requests", "Jaeger here/one/es-index-cleaner/jaeger-es-index-cleaner"),
    ]


def test_jaegers_index_cleaner_does_not_take_over_the_security_context_of_all_containers() -> None:
    root = {"runAsNonRoot": True, "runAsUser": 0}
    found = broken([jaeger(containerSecurityContext=root, storage={"type": "elasticsearch"}, **REQUESTS)], ())
    assert [one.object.split("/")[-1] for one in found] == ["jaeger-collector", "jaeger-query"]


def test_jaegers_operator_that_did_nothing() -> None:
    """Its Role names ingressclasses, which are in no namespace: it is refused them, and waits for them for ever."""
    account = [{"kind": "ServiceAccount", "name": "jaeger-operator", "namespace": "here"}]
    namespaced = role("Role", may("list watch", "ingressclasses", "networking.k8s.io"), may("get", "pods"))
    bound: list[Object] = [namespaced, {**binding("RoleBinding", "Role"), "subjects": account}]
    [found] = broken(bound, ())
    assert (found.rule, found.object) == ("gives-nothing", "Role here/one/ingressclasses")
    ours = role("ClusterRole", may("list watch", "ingressclasses", "networking.k8s.io"))
    given = binding("ClusterRoleBinding", "ClusterRole")
    assert broken([*bound, ours, {**given, "subjects": account}], ()) == []
    another = [{**account[0], "name": "another"}]
    assert [one.rule for one in broken([*bound, ours, {**given, "subjects": another}], ())] == ["gives-nothing"]


def test_an_exception_excuses_what_it_names_and_is_stale_where_it_excuses_nothing() -> None:
    faulty = workload(container("first", resources={}), container("second", resources={}))
    excuses = [Excuse("no-requests", "Deployment here/*/first", "why"), Excuse("escalates", "Role here/one", "why not")]
    found = broken([faulty], excuses)
    assert [(one.rule, one.object) for one in found] == [
        ("no-requests", "Deployment here/one/second"),
        ("stale-exception", "Role here/one"),
    ]
    assert "why not" in found[1].wrong
    assert [one.rule for one in broken([faulty], excuses, whole=False)] == ["no-requests"]


def test_the_same_finding_of_two_stacks_is_one_and_says_how_to_mend_it() -> None:
    faulty = workload(replicas=3, strategy={"type": "Recreate"})
    [found] = broken([faulty, faulty], ())
    assert isinstance(found, Broken)
    assert str(found).startswith(
        "stops-at-once: Deployment here/one: strategy Recreate stops all 3 pods at each change."
    )
    assert "RollingUpdate" in str(found)


def test_images_are_known_by_repository() -> None:
    names = {
        "docker.io/library/python:3.13.9-slim": "python",
        "localhost:5000/team/one:1@sha256:0123": "localhost:5000/team/one",
        RELOADER: "quay.io/prometheus-operator/prometheus-config-reloader",
    }
    assert {image: repository(image) for image in names} == names
    assert {repository(image) for image in IMAGES} == set(IMAGES)


def test_each_exception_has_a_reason_and_each_program_that_ends_a_test() -> None:
    assert all(len(excuse.reason) > 40 for excuse in EXCEPTIONS)
    assert all((ROOT / test).exists() for test in ENDING.values())


@pytest.mark.parametrize("stack", STACKS)
def test_what_the_program_makes_itself_breaks_no_rule_but_where_an_operator_leaves_no_choice(
    stack: str, tmp_path: Path
) -> None:
    own = [one.inputs for one in run(stack, tmp_path).resources if one.type.startswith("kubernetes:")]
    own = [one for one in own if "kind" in one]
    print(f"{stack}: {len(own)} objects")
    assert len(own) > 20
    assert broken(own, EXCEPTIONS, whole=False) == []
    assert {one.object for one in broken(own, (), whole=False)} == {"Role monitoring/jaeger-operator-resources"}
