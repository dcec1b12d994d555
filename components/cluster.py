"""The cluster: what it must have before anything is registered, and the provider."""

from collections.abc import Callable

import pulumi
import pulumi_kubernetes as kubernetes
from kubernetes import client as api
from kubernetes import config as kubeconfig
from kubernetes.client.exceptions import ApiException

from .settings import Settings


def connect(settings: Settings) -> kubernetes.Provider:
    """Return the provider of the stack's cluster.

    Raises:
        pulumi.RunError: naming everything that the cluster lacks.
    """
    client = kubeconfig.new_client_from_config(context=settings.cluster.context)  # type: ignore[no-untyped-call]
    lacks = missing(settings, client)
    if lacks:
        lines = "\n".join(f"  - {line}" for line in lacks)
        raise pulumi.RunError(f"cluster {settings.cluster.name} is not ready (nothing was registered):\n{lines}")
    return kubernetes.Provider(
        "cluster",
        context=settings.cluster.context,
        cluster_identifier=settings.cluster.name,
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
    )


def missing(settings: Settings, client: api.ApiClient) -> list[str]:
    """Return what the cluster lacks for these settings, each with its remedy."""
    storage = api.StorageV1Api(client)
    definitions = api.ApiextensionsV1Api(client)
    namespace = settings.application.namespace
    storage_class = settings.storage.storage_class
    checks: list[tuple[bool, Callable[[], object], str]] = [
        (
            settings.aws is not None,
            lambda: storage.read_csi_driver("ebs.csi.aws.com"),
            "the EBS CSI driver is not installed (CSIDriver ebs.csi.aws.com): add the EKS add-on aws-ebs-csi-driver",
        ),
        (
            settings.aws is None,
            lambda: storage.read_storage_class(storage_class),
            f"storage.storageClass: there is no StorageClass {storage_class!r}: create it, or name another",
        ),
        (
            settings.exposure.load_balancer == "aws",
            lambda: definitions.read_custom_resource_definition("targetgroupbindings.elbv2.k8s.aws"),
            "exposure.loadBalancer: aws needs the AWS Load Balancer Controller: install it, or set generic",
        ),
        (
            settings.traces.cert_manager == "existing",
            lambda: definitions.read_custom_resource_definition("certificates.cert-manager.io"),
            "traces.certManager: existing needs cert-manager: install it, or set none",
        ),
        (
            True,
            lambda: api.CoreV1Api(client).read_namespace(namespace),
            f"application.namespace: there is no namespace {namespace!r}: deploy the application first, "
            f"or: kubectl create namespace {namespace}",
        ),
    ]
    return [text for needed, read, text in checks if needed and not _exists(read, text)]


def _exists(read: Callable[[], object], text: str) -> bool:
    try:
        read()
    except ApiException as error:
        if error.status == 404:
            return False
        if error.status != 403:
            raise
        pulumi.log.warn(f"not allowed to check this on the cluster: {text}")
    return True
