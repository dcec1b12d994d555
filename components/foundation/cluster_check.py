"""The cluster: what it must have before anything is registered, and what not, and the provider."""

import pulumi
import pulumi_kubernetes as kubernetes
from kubernetes import client as api
from kubernetes import config as kubeconfig
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from ..settings import PROJECT, Settings
from .cluster_reader import NotAllowedError, read
from .elastic_status import refusals
from .load_balancer_check import of_another_kind
from .network_check import cut_off, tell_enforcer
from .ownership import of_others
from .volume_check import impossible


def connect(settings: Settings) -> kubernetes.Provider:
    """Return the provider of the stack's cluster.

    Raises:
        pulumi.RunError: the cluster does not answer, lacks something, has what another stack or somebody else owns, or
            has volumes or load balancers that cannot become what the settings say; naming all of it.
    """
    configuration = api.Configuration()
    configuration.retries = False
    try:
        client = kubeconfig.new_client_from_config(  # type: ignore[no-untyped-call]
            context=settings.cluster.context, client_configuration=configuration
        )
        problems = [
            *of_others(settings, client),
            *missing(settings, client),
            *of_another_kind(settings, client),
            *impossible(settings, client),
            *cut_off(settings, client),
        ]
        tell_enforcer(settings, client)
        for line in refusals(client):
            pulumi.log.warn(line)
    except (ConfigException, HTTPError) as error:
        raise pulumi.RunError(
            f"cluster {settings.cluster.name} does not answer at {settings.cluster.server} (nothing was registered): "
            f"{error}. Check that it runs, that your network or VPN leads there, and that you are logged in"
        ) from error
    if problems:
        lines = "\n".join(f"  - {line}" for line in problems)
        raise pulumi.RunError(
            f"cluster {settings.cluster.name} cannot take this stack as it is set (nothing was registered):\n{lines}"
        )
    return kubernetes.Provider(
        "cluster",
        # Else the SDK puts KUBECONFIG here: a change in each preview by somebody whose file lies elsewhere, and an
        # error where it lists several. The provider itself reads the variable too.
        kubeconfig="",
        context=settings.cluster.context,
        # Another one would replace every object, Namespaces too. A stack has one cluster for life, and keeps the
        # identifier that it began with: it was cluster.name once, which is a label and may change.
        cluster_identifier=PROJECT,
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        opts=pulumi.ResourceOptions(ignore_changes=["clusterIdentifier"]),
    )


def missing(settings: Settings, client: api.ApiClient) -> list[str]:
    """Return what the cluster lacks for these settings, each with its remedy.

    Raises:
        HTTPError: it does not answer, or not to this user.
    """
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    namespace = settings.application.namespace
    storage_class = settings.storage.storage_class
    checks: list[tuple[bool, str, str]] = [
        (
            settings.aws is not None,
            "/apis/storage.k8s.io/v1/csidrivers/ebs.csi.aws.com",
            "the EBS CSI driver is not installed (CSIDriver ebs.csi.aws.com): add the EKS add-on aws-ebs-csi-driver",
        ),
        (
            settings.aws is None,
            f"/apis/storage.k8s.io/v1/storageclasses/{storage_class}",
            f"storage.storageClass: there is no StorageClass {storage_class!r}: create it, or name another",
        ),
        (
            settings.exposure.load_balancer == "aws",
            f"{definitions}/targetgroupbindings.elbv2.k8s.aws",
            "exposure.loadBalancer: aws needs the AWS Load Balancer Controller: install it, or set generic or nodePort",
        ),
        (
            settings.traces.cert_manager == "existing",
            f"{definitions}/certificates.cert-manager.io",
            "traces.certManager: existing needs cert-manager: install it, or set none",
        ),
        (
            True,
            f"/api/v1/namespaces/{namespace}",
            f"application.namespace: there is no namespace {namespace!r}: deploy the application first, "
            f"or: kubectl create namespace {namespace}",
        ),
    ]
    return [text for needed, path, text in checks if needed and not _exists(client, path, text)]


def _exists(client: api.ApiClient, path: str, text: str) -> bool:
    """Return whether there is something at a path of the API, as far as this user may know."""
    try:
        return read(client, path) is not None
    except NotAllowedError:
        pulumi.log.warn(f"not allowed to check this on the cluster: {text}")
        return True
