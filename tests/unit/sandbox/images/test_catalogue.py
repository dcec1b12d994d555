"""The images of the live cluster against what is known of the published ones."""

import re

from components.settings.logs import LogsSettings
from components.settings.traces import TracesSettings
from development.workload_rules.images import IMAGES, repository
from sandbox.images import catalogue, elasticsearch, go_programs
from sandbox.live.layout import DNS_SERVICE
from sandbox.program_pins import PROGRAMS, Group
from tests.offline import ROOT

# What the cluster itself runs, and nothing of ours.
OF_THE_CLUSTER = {"registry.k8s.io/coredns/coredns", "registry.k8s.io/pause", "busybox"}


def test_each_image_that_the_stacks_run_is_made_and_no_other() -> None:
    made = {repository(name) for image in catalogue.images() for name in image.names}
    assert made - OF_THE_CLUSTER == set(IMAGES)


def test_each_has_the_user_of_the_published_one_as_it_is_written_there() -> None:
    users = {repository(image.names[0]): image.user for image in catalogue.images()}
    published = {name: image.user for name, image in IMAGES.items() if image.user is not None}
    assert {name: users[name] for name in published} == published


def test_elasticsearch_is_at_the_versions_that_are_shipped() -> None:
    shipped = (LogsSettings().elasticsearch.version, TracesSettings().elasticsearch.version)
    assert (elasticsearch.Release(9).version, elasticsearch.Release(8).version) == shipped


def test_a_program_that_ends_as_process_1_is_started_by_an_entrypoint() -> None:
    has_entrypoint = {repository(image.names[0]): bool(image.entrypoint) for image in catalogue.images()}
    assert {name: has_entrypoint[name] for name in IMAGES} == {
        name: image.entrypoint != "none" for name, image in IMAGES.items()
    }


def test_the_programs_of_images_are_built_for_a_live_cluster_and_no_others_of_the_tests() -> None:
    wanted = catalogue.programs()
    assert [program.name for program in go_programs.PROGRAMS if program not in wanted] == []
    assert [program.name for program in wanted if program not in PROGRAMS] == []
    of_tests = [program for program in wanted if program.group is Group.TESTING]
    assert [program.name for program in of_tests if program not in go_programs.PROGRAMS] == []


def test_the_clusters_own_manifests_ask_for_images_that_are_made() -> None:
    made = {name for image in catalogue.images() for name in image.names}
    text = "\n".join(file.read_text() for file in (ROOT / "sandbox" / "live" / "manifests").glob("*.yaml"))
    asked = set(re.findall(r"image: (\S+)", text))
    assert len(asked) == 2
    assert asked <= made
    assert f"clusterIP: {DNS_SERVICE}\n" in text


def test_names_and_archives_are_unique() -> None:
    names = [name for image in catalogue.images() for name in image.names]
    assert len(names) == len(set(names))
    assert len({image.archive for image in catalogue.images()}) == len(catalogue.images())
