"""What a cluster lacks is named before anything is registered."""

import re

from kubernetes import client

from components.foundation.cluster_check import missing
from components.settings import Settings
from tests.sandbox.conftest import Api, Project

CLUSTER = {"name": "c", "region": "r", "context": "x", "server": "https://x"}


def test_what_a_cluster_lacks_is_named_with_the_remedy(api: Api) -> None:
    settings = Settings.model_validate(
        {
            "cluster": CLUSTER,
            "storage": {"storageClass": "fast"},
            "application": {"namespace": "elsewhere"},
            "traces": {"certManager": "existing"},
        }
    )
    assert missing(settings, api.connection) == [
        "storage.storageClass: there is no StorageClass 'fast': create it, or name another",
        "traces.certManager: existing needs cert-manager: install it, or set none",
        "application.namespace: there is no namespace 'elsewhere': deploy the application first, "
        "or: kubectl create namespace elsewhere",
    ]


def test_what_a_cluster_has_is_not_named(api: Api) -> None:
    settings = Settings.model_validate(
        {
            "cluster": CLUSTER,
            "traces": {"certManager": "none"},
            "aws": {"accountId": "111122223333", "oidcIssuer": "oidc.eks.ap-southeast-1.amazonaws.com/id/A1"},
        }
    )
    assert missing(settings, api.connection) == []


def test_the_engine_shows_it_and_registers_nothing(project: Project) -> None:
    project.prepare("local", traces={"certManager": "existing"}, application={"namespace": "elsewhere"})
    done = project.pulumi("local", "preview")
    assert done.returncode != 0
    assert "cluster mangakai-local cannot take this stack as it is set (nothing was registered):" in done.stdout
    assert "traces.certManager: existing needs cert-manager" in done.stdout
    assert "there is no namespace 'elsewhere'" in done.stdout
    assert "Traceback" not in done.stdout
    assert not re.search(r"kubernetes:.* create", done.stdout)
    project.prepare("local")


def test_a_namespace_of_somebody_else_is_refused_and_stays_as_it_is(project: Project, api: Api) -> None:
    api.core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="monitoring")))
    try:
        project.prepare("local")
        for arguments in (("preview",), ("up", "--yes", "--skip-preview")):
            done = project.pulumi("local", *arguments)
            assert done.returncode != 0
            assert "namespace/monitoring: already there, and made by somebody else; this is stack" in done.stdout
        project.destroy("local")
        metadata = api.get("/api/v1/namespaces/monitoring")["metadata"]
        assert metadata["labels"] == {"kubernetes.io/metadata.name": "monitoring"}
    finally:
        api.core.delete_namespace("monitoring")


def test_wrong_settings_come_without_a_traceback(project: Project) -> None:
    project.prepare("local", prometheus={"retention": "5x"}, alertmanager={"replicas": 2})
    done = project.pulumi("local", "preview")
    assert done.returncode != 0
    assert "2 settings are wrong in stack local (nothing was registered):" in done.stdout
    assert "prometheus.retention: found '5x'" in done.stdout
    assert "alertmanager.replicas: found 2" in done.stdout
    assert "Traceback" not in done.stdout
    project.prepare("local")
