"""`make preview`: what the engine plans or two programs differ in, as steps, and how they are told."""

import copy
import json
from typing import Any

import pytest

from components.foundation.helm_records import RELEASE_TYPE
from operations.helm import HelmError
from operations.preview import base, plan, report
from operations.preview.steps import MASK, PreviewError, Step, masked, paired, secret_changes
from tests.unit.operations.manifests import MARK, SECRET, URN, with_, workload


def test_marked_secrets_are_masked_wherever_they_are() -> None:
    secret = {**MARK, "value": {"deep": "canary"}}
    assert masked({"a": [secret, {"b": secret}], "c": 1}) == {"a": [MASK, {"b": MASK}], "c": 1}
    assert masked({"a": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}) == {"a": "(known after the update)"}


def test_which_secrets_change_is_known_without_showing_them() -> None:
    old = {"stringData": {**MARK, "value": {"a": "1", "b": "2"}}, "list": [{**MARK, "value": "x"}], "plain": "1"}
    new = {"stringData": {**MARK, "value": {"a": "1", "b": "3"}}, "list": [{**MARK, "value": "y"}], "plain": "2"}
    assert list(secret_changes(old, new)) == ["list[0]", "stringData.b"]
    assert list(secret_changes(old, old)) == []


def event(op: str, name: str, old: Any, new: Any, detailed: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what the engine's log of events says of a step."""
    return {
        "op": op,
        "urn": f"{URN}$kubernetes:core/v1:Secret::{name}",
        "old": old and {"custom": True, "inputs": old},
        "new": new and {"custom": True, "inputs": new},
        "detailedDiff": {path: {"diffKind": "update"} for path in detailed},
    }


def test_the_engines_steps_name_the_secrets_that_change() -> None:
    inputs = {**SECRET, "data": {**MARK, "ciphertext": "[secret]"}}
    (step,) = plan.steps_of([event("update", "one", inputs, inputs, ('data["a.b"]', "metadata.labels.x"))])
    assert step.secrets == ("data.a.b",)
    assert step.old == step.new == {**SECRET, "data": MASK}
    found = report.preview("prod", "main", [step], no_chart)
    assert report.summary(found)[1] == "  Secrets that change: Secret one (a.b)"
    assert found.status == 0


def test_what_is_not_known_yet_is_no_deletion() -> None:
    old = {**RELEASE_INPUTS, "values": {"url": "http://a", "a.b": {"url": "http://a"}, "budget": {"enabled": True}}}
    new = {**RELEASE_INPUTS, "values": {"a.b": {}}}
    kinds = {"values.url": "delete", 'values["a.b"].url': "delete", "values.budget": "delete", "values.new.url": "add"}
    update = {
        **event("update", "one", old, new),
        "urn": f"{URN}${RELEASE_TYPE}::one",
        "detailedDiff": {path: {"diffKind": kind} for path, kind in kinds.items()},
    }
    (alone,) = plan.steps_of(copy.deepcopy([update]))
    assert alone.new == new, "nothing is made, so everything is known"
    step, _ = plan.steps_of([update, event("create", "two", None, SECRET)])
    unknown = "(known after the update)"
    assert step.new == {**RELEASE_INPUTS, "values": {"url": unknown, "a.b": {"url": unknown}}}


def test_a_new_release_that_cannot_be_rendered_yet_says_so_and_another_is_an_error() -> None:
    def refuse(*_: object) -> dict[str, dict[str, Any]]:
        raise HelmError("missing\nproperty 'url'")

    found = report.preview("prod", "main", [release_step("create", None, RELEASE_INPUTS)], refuse)
    assert [change.object for change in found.all] == [
        "objects that are known after the update: missing property 'url'"
    ]
    with pytest.raises(PreviewError, match="Release monitoring/one cannot be rendered: missing"):
        report.preview("prod", "main", [release_step("update", RELEASE_INPUTS, RELEASE_INPUTS)], refuse)


@pytest.mark.parametrize("order", [1, -1])
def test_a_replacement_of_the_engine_is_one_step_and_what_stays_is_none(order: int) -> None:
    other = with_(SECRET, "data|password", "b3RoZXI=")
    events = [event("create-replacement", "one", None, other), event("delete-replaced", "one", SECRET, None)]
    component = {**event("create", "three", None, SECRET), "new": {"inputs": {}}}
    steps = plan.steps_of([*events[::order], event("same", "two", SECRET, SECRET), component])
    assert [(step.op, step.old, step.new) for step in steps] == [("replace", SECRET, other)]


def no_chart(*_: object) -> dict[str, dict[str, Any]]:
    raise AssertionError("no Release changes")


def test_an_object_that_leaves_its_name_to_pulumi_has_that_of_the_resource() -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"namespace": "monitoring"}}
    assert Step("create", f"{URN}$kubernetes:batch/v1:Job::one", None, job).object == "Job monitoring/one"
    assert Step("create", f"{URN}$aws:kms/key:Key::one", None, {"name": "two"}).object == "aws:kms/key:Key one"


def test_the_same_object_under_another_urn_is_told_as_such() -> None:
    steps = [
        Step("create", f"{URN}$kubernetes:core/v1:Secret::one", None, SECRET),
        Step("delete", f"{URN}s$kubernetes:core/v1:Secret::one", SECRET, None),
        Step("delete", f"{URN}s$kubernetes:core/v1:Secret::two", with_(SECRET, "metadata|name", "two"), None),
    ]
    found = report.preview("prod", "main", paired(steps), no_chart)
    assert [(change.what, change.object) for change in found.all] == [
        ("removed", "Secret two"),
        ("moved", "Secret one"),
    ]
    assert found.status == 3
    assert any("alias" in line for line in report.summary(found))


def test_what_aws_names_is_another_one_under_another_urn() -> None:
    role = {"assumeRolePolicy": "{}"}
    steps = [
        Step("create", f"{URN}$aws:iam/role:Role::one", None, role),
        Step("delete", f"{URN}s$aws:iam/role:Role::one", role, None),
    ]
    assert paired(steps) == steps


def registered(inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"inputs": inputs, "ignore_changes": [], "replace_on_changes": [], "aliases": [], **more}


def test_an_alias_leads_to_what_a_resource_was() -> None:
    before = {"old-urn": registered(SECRET)}
    assert list(base.steps_of(before, {"new-urn": registered(SECRET, aliases=["old-urn"])})) == []
    assert len(list(base.steps_of(before, {"new-urn": registered(SECRET)}))) == 2


def test_ignored_changes_are_none() -> None:
    other = with_(SECRET, "data|password", "b3RoZXI=")
    after = {"urn": registered(other, ignore_changes=["data"])}
    assert list(base.steps_of({"urn": registered(SECRET)}, after)) == []


@pytest.mark.parametrize(
    ("old", "path", "op"),
    [
        (workload("Deployment"), "metadata|namespace", "replace"),
        (workload("Deployment"), "spec|replicas", "update"),
        ({"kind": "Job", "metadata": {"name": "one"}, "spec": {"template": {}}}, "spec|template", "replace"),
        ({"kind": "StorageClass", "metadata": {"name": "one"}, "provisioner": "a"}, "provisioner", "replace"),
        ({"chart": "one.tgz", "name": "one", "namespace": "here"}, "namespace", "replace"),
        ({"chart": "one.tgz", "name": "one", "namespace": "here"}, "chart", "update"),
        ({"name": "role"}, "policy", "update"),
    ],
)
def test_what_the_provider_replaces(old: dict[str, Any], path: str, op: str) -> None:
    (step,) = base.steps_of({"urn": registered(old)}, {"urn": registered(with_(old, path, "other"))})
    assert step.op == op


def release_step(op: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Step:
    return Step(op, f"{URN}${RELEASE_TYPE}::one", old, new)


RELEASE_INPUTS = {"chart": ".charts/one-1.0.0.tgz", "name": "one", "namespace": "monitoring", "values": {}}


def test_a_release_is_told_by_its_objects() -> None:
    old, new = workload("StatefulSet"), with_(workload("StatefulSet"), "spec|serviceName", "other")
    rendered = {
        True: {"StatefulSet one": old, "ConfigMap gone": SECRET},
        False: {"StatefulSet one": new, "ConfigMap new": SECRET},
    }
    step = release_step("update", RELEASE_INPUTS, {**RELEASE_INPUTS, "chart": ".charts/one-2.0.0.tgz"})
    found = report.preview("prod", "main", [step], lambda _, is_deployed: rendered[is_deployed])
    assert list(found.releases) == ["Release monitoring/one, chart one-1.0.0 -> one-2.0.0"]
    assert [change.what for change in found.all] == ["removed", "added", "changed"]
    text = "\n".join([*report.details(found, with_others=False), *report.summary(found)])
    print(text)
    assert "spec.serviceName (cannot change in place)" in text
    assert "1 added, 1 removed, 1 changed" in text
    assert json.loads(report.as_json(found))["summary"] == report.summary(found)
    assert found.status == 3


def test_a_release_that_goes_is_one_that_goes() -> None:
    step = release_step("delete", RELEASE_INPUTS, None)
    found = report.preview("prod", "main", [step], lambda *_: {})
    assert found.status == 3
    assert "  Deleted: Release monitoring/one" in report.summary(found)


def test_nothing_is_said_where_nothing_changes() -> None:
    found = report.preview("prod", "main", [], no_chart)
    assert report.summary(found) == ["Stack prod, against main: nothing changes."]
    assert list(report.details(found, with_others=True)) == []
    assert found.status == 0


def test_what_the_program_replaces() -> None:
    old = {"kind": "Service", "metadata": {"name": "one"}, "spec": {"ports": []}}
    new = with_(old, "spec|loadBalancerClass", "one")
    for paths, op in ((["spec.loadBalancerClass"], "replace"), (["spec.type"], "update")):
        (step,) = base.steps_of({"urn": registered(old)}, {"urn": registered(new, replace_on_changes=paths)})
        assert step.op == op
