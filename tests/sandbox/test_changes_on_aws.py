"""Settings of a stack with an AWS account that change what cannot change in place: done, or refused before anything is.

The other rows of docs/changes.md are in local/test_changes.py.
"""

from collections.abc import Iterator

import pytest
import yaml

from components.foundation.volumes import volumes
from components.settings import PROJECT, read_file
from tests.sandbox.conftest import Api, Project
from tests.sandbox.waiting import until

pytestmark = pytest.mark.long

STORAGE_CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"


@pytest.fixture(scope="module", autouse=True)
def staging(project: Project) -> Iterator[None]:
    project.prepare("staging")
    print(f"\nstaging up: {project.up('staging')}")
    yield
    project.prepare("staging")
    project.destroy("staging")


def policies(api: Api) -> set[str]:
    """Return the reclaim policy of the class, and of the volumes of the stack."""
    found = {api.get("/apis/storage.k8s.io/v1/storageclasses/gp3")["reclaimPolicy"]}
    ours = [
        item
        for item in api.get("/api/v1/persistentvolumes")["items"]
        if item["spec"].get("claimRef", {}).get("namespace") == "monitoring" and item["status"]["phase"] == "Bound"
    ]
    assert len(ours) == len(api.claims())
    return found | {item["spec"]["persistentVolumeReclaimPolicy"] for item in ours}


def test_keep_data_is_what_the_class_and_the_volumes_that_are_there_say(project: Project, api: Api) -> None:
    api.made("/apis/apps/v1/namespaces/monitoring/statefulsets/logstash-ls")
    claims = api.claims()
    for keep, policy in ((True, "Retain"), (False, "Delete")):
        project.prepare("staging", storage={"keepData": keep})
        steps = project.previewed("staging")
        assert {type_ for op, type_, _ in steps if "replace" in op} == {STORAGE_CLASS}
        print(f"\n{policy}: {project.up('staging')}")
        assert policies(api) == {policy}
        assert project.previewed("staging") == []
        assert api.claims() == claims


def test_aws_stays_as_long_as_volumes_name_its_class(project: Project, api: Api) -> None:
    file = project.sandbox.stack_file("staging")
    text = file.read_text()
    document = yaml.safe_load(text)
    del document["config"][f"{PROJECT}:aws"]
    document["config"].pop(f"{PROJECT}:backup", None)
    file.write_text(yaml.safe_dump(document))
    try:
        for arguments in (("preview",), ("up", "--yes", "--skip-preview")):
            done = project.pulumi("staging", *arguments)
            assert done.returncode != 0
            assert "- aws: StorageClass 'gp3' is this stack's own, and would go with it: set aws again" in done.stdout
    finally:
        file.write_text(text)
    assert api.get("/apis/storage.k8s.io/v1/storageclasses/gp3")["provisioner"] == "ebs.csi.aws.com"
    assert project.previewed("staging") == []


def test_its_volumes_get_no_smaller_and_stay_in_their_class(project: Project) -> None:
    sizes = {each.setting: each.size for each in volumes(read_file(project.folder / "Pulumi.staging.yaml"))}
    project.prepare("staging", storage={"storageClass": "gp4"}, grafana={"storage": "1Mi"})
    done = project.pulumi("staging", "preview")
    assert done.returncode != 0
    assert "- storage.storageClass: 'gp4', and the volumes of prometheus, alertmanager, grafana, " in done.stdout
    assert f"never gets smaller: set {sizes['grafana.storage']} again" in done.stdout
    project.prepare("staging")
    assert project.previewed("staging") == []


def test_elastics_operator_makes_its_volumes_larger_by_itself(project: Project, api: Api) -> None:
    """The last one: they get no smaller again."""
    namespace = "/api/v1/namespaces/monitoring"

    def sizes() -> set[str]:
        found = set()
        for claim, name in (("elasticsearch-data", "mangakai-logs-es-default"), ("logstash-data", "logstash-ls")):
            volume = api.get(f"{namespace}/persistentvolumeclaims/{claim}-{name}-0")
            stateful_set = api.made(f"/apis/apps/v1/namespaces/monitoring/statefulsets/{name}")
            (template,) = stateful_set["spec"]["volumeClaimTemplates"]
            found |= {volume["status"]["capacity"]["storage"], template["spec"]["resources"]["requests"]["storage"]}
        return found

    project.prepare("staging", logs={"elasticsearch": {"storage": "60Gi"}, "logstash": {"storage": "60Gi"}})
    print(f"\n{project.up('staging')}")
    until(lambda: sizes() == {"60Gi"})
    assert project.previewed("staging") == []
