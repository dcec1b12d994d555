"""Helm Releases with the defaults that all share."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from kubernetes import config

from ..settings.foundation import ChartsSettings
from .chart_pins import PINS, archive
from .release_recovery import explain, remedy, remove_stuck_pods


class Charts:
    """The archives in one directory, and Releases of them.

    `timeout_seconds` is how long anything may take to run, `context` the cluster's in the kubeconfig.

    Args:
        settings: the directory, and how long a Release may take.
        context: of the cluster in the kubeconfig: a Release that did not become ready is explained from there.

    Raises:
        pulumi.RunError: naming every archive that is missing.
    """

    def __init__(self, settings: ChartsSettings, context: str) -> None:
        directory = settings.directory
        missing = [path.name for path in (archive(directory, chart) for chart in PINS) if not path.is_file()]
        if missing:
            raise pulumi.RunError(f"chart archives are missing in {directory}: {', '.join(missing)}. Run: make charts")
        self._settings = settings
        self.timeout_seconds, self.context = settings.timeout_seconds, context
        self._hooks = pulumi.ResourceHookBinding(
            before_update=[pulumi.ResourceHook("remove-stuck-pods", lambda update: _unblock(update, context))],
            on_error=[pulumi.ErrorHook("explain-failure", lambda failure: _explain_failure(failure, context))],
        )

    def release(
        self,
        name: str,
        chart: str,
        namespace: str,
        values: Mapping[str, Any],
        opts: pulumi.ResourceOptions,
    ) -> kubernetes.helm.v3.Release:
        """Return a Release of `chart` called `name`, which waits until what it installs is ready.

        Args:
            name: of the resource and of the Helm release.
            chart: a key of `PINS`.
            namespace: where the chart's objects go.
            values: without nulls: provider 4.25 drops them and later ones do not.
            opts: with the parent.
        """
        return kubernetes.helm.v3.Release(
            name,
            kubernetes.helm.v3.ReleaseArgs(
                name=name,
                chart=str(archive(self._settings.directory, chart)),
                version=PINS[chart].version,
                namespace=namespace,
                create_namespace=False,
                values=dict(values),
                timeout=self.timeout_seconds,
                cleanup_on_fail=True,
                max_history=5,
                skip_await=False,
            ),
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=self._hooks)),
        )


def _unblock(update: pulumi.ResourceHookArgs, context: str) -> None:
    """Remove the pods of a failed upgrade that would keep this one waiting."""
    inputs = update.new_inputs or {}
    client = config.new_client_from_config(context=context)  # type: ignore[no-untyped-call]
    for line in remove_stuck_pods(client, str(inputs.get("name")), str(inputs.get("namespace"))):
        pulumi.log.warn(line)


def _explain_failure(failure: pulumi.ErrorHookArgs, context: str) -> bool:
    """Log what the provider does not say: the way out, or the pods of the Release, their reasons, the last events."""
    inputs = failure.new_inputs or failure.old_inputs or {}
    release, namespace = str(inputs.get("name")), str(inputs.get("namespace"))
    client = config.new_client_from_config(context=context)  # type: ignore[no-untyped-call]
    way_out = remedy(failure.errors, release, namespace, pulumi.get_stack())
    for line in way_out or explain(client, release, namespace):
        pulumi.log.error(line)
    return False  # no second try: the next `up` is one
