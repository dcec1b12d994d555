"""Whose the Namespaces and the objects of the whole cluster are: what this stack takes up, and what it refuses."""

from pathlib import Path
from typing import Any

import pulumi
import pytest
from kubernetes import config

from components.foundation.ownership import OWNER, cluster_wide, guard, of_others
from components.settings import Settings
from tests.unit.components.foundation.cluster_api import CONTEXT, answering, lead_to

SETTINGS = Settings.model_validate(
    {
        "cluster": {"name": "c", "region": "r", "context": CONTEXT, "server": "https://x"},
        "aws": {"accountId": "111122223333", "oidcIssuer": "oidc.eks.ap-southeast-1.amazonaws.com/id/A1"},
    }
)
PATHS = cluster_wide(SETTINGS)
OURS = {"app.kubernetes.io/part-of": "mangakai-monitoring", "app.kubernetes.io/managed-by": "pulumi"}


def thing(owner: str | None, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """Return an object of an owner, or of none."""
    return {"metadata": {"labels": labels, "annotations": {OWNER: owner} if owner else None}}


OWN = thing("mangakai-monitoring/second", OURS)
OF_ANOTHER = thing("mangakai-monitoring/first", OURS)
OF_A_VERSION_WITHOUT_OWNERS = thing(None, OURS)
OF_SOMEBODY = thing(None)


@pytest.fixture(autouse=True)
def _stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulumi.get_stack", lambda: "second")


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return what is told of a cluster with these objects, by what kubectl calls them."""

    def told(refused: dict[str, int] | None = None, **objects: dict[str, Any]) -> list[str]:
        there = {PATHS[name.replace("_", "/")]: found for name, found in objects.items()}
        with answering(there, refused) as address:
            lead_to(address, tmp_path, monkeypatch)
            return of_others(SETTINGS, config.new_client_from_config(context=CONTEXT))  # type: ignore[no-untyped-call]

    return told


def test_a_cluster_without_them_and_what_is_this_stacks_own_are_taken(ask: Any) -> None:
    assert ask() == []
    assert ask(namespace_monitoring=OWN, storageclass_gp3=OWN) == []


@pytest.mark.parametrize("found", [OF_ANOTHER, OF_SOMEBODY, thing("mangakai-monitoring/second2", OURS)])
@pytest.mark.parametrize("name", PATHS)
def test_each_thing_of_another_is_refused(ask: Any, name: str, found: dict[str, Any]) -> None:
    (line,) = ask(**{name.replace("/", "_"): found})
    assert line.startswith(f"{name}: already there, and ")


def test_things_of_one_owner_are_one_line_with_the_command_that_takes_them_over(ask: Any) -> None:
    of_first, of_somebody = ask(
        namespace_monitoring=OF_ANOTHER, storageclass_gp3=OF_ANOTHER, **{"namespace_monitoring-agents": OF_SOMEBODY}
    )
    assert of_first.startswith(
        "namespace/monitoring, storageclass/gp3: already there, and of stack mangakai-monitoring/first; "
        "this is stack mangakai-monitoring/second, and a cluster has one. "
    )
    command = f"annotate --overwrite namespace/monitoring storageclass/gp3 {OWNER}=mangakai-monitoring/second"
    assert f"kubectl --context {CONTEXT} {command} (docs/" in of_first
    assert of_somebody.startswith("namespace/monitoring-agents: already there, and made by somebody else; this")


def test_what_has_no_owner_and_our_labels_is_left_to_the_engine(ask: Any) -> None:
    assert ask(**{name.replace("/", "_"): OF_A_VERSION_WITHOUT_OWNERS for name in PATHS}) == []


@pytest.mark.parametrize("labels", [dict([one]) for one in OURS.items()])
def test_half_of_our_labels_are_not_ours(ask: Any, labels: dict[str, str]) -> None:
    assert len(ask(namespace_monitoring=thing(None, labels))) == 1


def test_what_may_not_be_read_is_a_warning(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", told.append)
    path = PATHS["namespace/monitoring"]
    assert ask(refused={path: 403}, namespace_monitoring=OF_ANOTHER) == []
    assert told == [f"whose namespace/monitoring is cannot be told: not allowed to read {path} on the cluster"]


class TestGuard:
    """The hook, which the engine calls where the state of the stack does not hold the Namespace."""

    @staticmethod
    def created(monkeypatch: pytest.MonkeyPatch, folder: Path, found: dict[str, Any] | None) -> None:
        monkeypatch.setattr("pulumi.resource_hooks.register_resource_hook", lambda _: None)
        (hook,) = guard(CONTEXT).before_create or []
        assert isinstance(hook, pulumi.ResourceHook)
        assert hook.opts is not None
        assert hook.opts.on_dry_run, "a preview says nothing"
        inputs = {"metadata": {"name": "monitoring"}}
        with answering({PATHS["namespace/monitoring"]: found} if found else {}) as address:
            lead_to(address, folder, monkeypatch)
            hook(pulumi.ResourceHookArgs("urn", "id", "monitoring", "type", new_inputs=inputs))

    def test_it_lets_pass_what_is_not_there_and_what_this_stack_has_left(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        self.created(monkeypatch, tmp_path, None)
        self.created(monkeypatch, tmp_path, OWN)

    @pytest.mark.parametrize(
        ("found", "whose"),
        [
            (OF_A_VERSION_WITHOUT_OWNERS, "made by an earlier version of this program, and not in this stack's state"),
            (OF_ANOTHER, "of stack mangakai-monitoring/first"),
            (OF_SOMEBODY, "made by somebody else"),
        ],
    )
    def test_it_refuses_what_is_there(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: dict[str, Any], whose: str
    ) -> None:
        with pytest.raises(
            pulumi.RunError, match=rf"^namespace/monitoring: already there, and {whose}; this is stack "
        ):
            self.created(monkeypatch, tmp_path, found)
