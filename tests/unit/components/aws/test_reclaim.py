"""The volumes that are there follow the reclaim policy of their class, and no others do."""

from types import SimpleNamespace
from unittest.mock import Mock

import pulumi
import pytest

from components.aws.reclaim import reclaim, volumes_follow


def volume(name: str, **changes: str) -> SimpleNamespace:
    spec = SimpleNamespace(
        storage_class_name=changes.get("storage_class", "gp3"),
        claim_ref=SimpleNamespace(namespace=changes.get("namespace", "monitoring")),
        persistent_volume_reclaim_policy=changes.get("policy", "Retain"),
    )
    status = SimpleNamespace(phase=changes.get("phase", "Bound"))
    return SimpleNamespace(metadata=SimpleNamespace(name=name), spec=spec, status=status)


def core(*volumes: SimpleNamespace) -> Mock:
    return Mock(list_persistent_volume=Mock(return_value=SimpleNamespace(items=list(volumes))))


def test_bound_volumes_of_the_stack_and_the_class_get_the_policy() -> None:
    asked = core(
        volume("ours"),
        volume("as-it-is", policy="Delete"),
        volume("of-another-class", storage_class="io2"),
        volume("of-the-application", namespace="mangakai-prod"),
        volume("of-a-claim-that-is-gone", phase="Released"),
        volume("of-nobody", phase="Available"),
    )
    assert reclaim(asked, "gp3", "Delete") == ["ours"]
    asked.patch_persistent_volume.assert_called_once_with("ours", {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})


def test_the_hook_comes_before_the_class_and_in_no_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, told = core(volume("ours")), list[str]()
    monkeypatch.setattr("pulumi.resource_hooks.register_resource_hook", lambda _: None)
    monkeypatch.setattr("components.aws.reclaim.config.new_client_from_config", Mock())
    monkeypatch.setattr("components.aws.reclaim.api.CoreV1Api", lambda _: asked)
    monkeypatch.setattr("pulumi.log.info", told.append)
    (hook,) = volumes_follow("prod").before_create or []
    assert isinstance(hook, pulumi.ResourceHook)
    assert not (hook.opts and hook.opts.on_dry_run)
    inputs = {"metadata": {"name": "gp3"}, "reclaimPolicy": "Delete"}
    hook(pulumi.ResourceHookArgs("urn", "id", "gp3", "type", new_inputs=inputs))
    assert told == ["volume ours: its reclaim policy is Delete now"]
