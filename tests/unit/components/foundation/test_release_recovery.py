"""What is to be done about a Release that failed; tests/sandbox has the pods, their reasons and the events."""

import pytest

from components.foundation.release_recovery import remedy


@pytest.mark.parametrize(
    "error",
    [
        "another operation (install/upgrade/rollback) is in progress",
        "cannot re-use a name that is still in use",
        '"prometheus" has no deployed releases',
    ],
)
def test_an_update_that_was_cut_off_leads_to_the_repair(error: str) -> None:
    (line,) = remedy([f"update: {error}", error], "prometheus", "monitoring", "prod")
    assert line.endswith("Helm could not write down how it ended: make repair STACK=prod, then pulumi up")


def test_what_cannot_change_in_place_leads_to_the_stateful_set() -> None:
    error = 'cannot patch "it" with kind StatefulSet: StatefulSet.apps "it" is invalid: spec: Forbidden: updates to'
    (line,) = remedy([error], "prometheus", "monitoring", "prod")
    assert line.startswith("release prometheus: StatefulSet it has to be made anew for this, around its pods: ")


def test_what_is_neither_is_told_by_its_pods() -> None:
    assert remedy(["context deadline exceeded"], "prometheus", "monitoring", "prod") == []
