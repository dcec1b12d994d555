"""What `make repair` does to a stack, and when it refuses to touch anything: against a made-up `pulumi`."""

import base64
import gzip
import json
import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.foundation import helm_records
from operations.repair import RepairError
from operations.repair.releases import Findings
from operations.repair.repair import repair
from tests.unit.components.foundation.cluster_api import CONTEXT, answering, lead_to

SERVER = "https://prod.example.com"
# Writes down what it was asked, and answers from files.
PULUMI = f"""#!{sys.executable}
import pathlib, sys
here = pathlib.Path(__file__).parent
asked = " ".join(one for one in sys.argv[1:] if not one.startswith("/tmp"))
with (here / "asked").open("a") as file:
    file.write(asked + "\\n")
match sys.argv[1:3]:
    case ["whoami", "--json"]:
        print((here / "whoami").read_text())
    case ["config", "get"]:
        print((here / "cluster").read_text())
    case ["stack", "export"]:
        print((here / "state").read_text())
    case ["stack", "import"] if (here / "locked").exists():
        sys.exit((here / "locked").read_text())
    case ["stack", "import"]:
        (here / "imported").write_text(pathlib.Path(sys.argv[4]).read_text())
"""


class Machine:
    """A machine with a made-up pulumi, a backend in files, and a kubeconfig."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state-of-stacks"
        (self.state / ".pulumi").mkdir(parents=True)
        (folder / "pulumi").write_text(PULUMI)
        (folder / "pulumi").chmod(0o755)
        self.backend(f"file://{self.state}")
        self.kubeconfig(SERVER)
        cluster = {"name": "c", "region": "r", "context": CONTEXT, "server": SERVER}
        (folder / "cluster").write_text(json.dumps(cluster))
        self.resources()

    def backend(self, url: str) -> None:
        (self.folder / "whoami").write_text(json.dumps({"user": "u", "url": url}))

    def kubeconfig(self, server: str) -> None:
        document = {
            "contexts": [{"name": CONTEXT, "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": server}}],
        }
        (self.folder / "kubeconfig").write_text(yaml.safe_dump(document))

    def resources(
        self, *urns: str, pending: tuple[Mapping[str, Any], ...] = (), init_errors: Sequence[str] = ()
    ) -> None:
        """Let the state hold resources; Releases are of the ninth revision."""
        resources = [
            {
                "urn": urn,
                "type": urn.split("::")[2].split("$")[-1],
                "custom": True,
                "outputs": {"status": {"revision": 9}},
                "initErrors": list(init_errors),
            }
            for urn in urns
        ]
        deployment = {"resources": resources, "pending_operations": pending}
        (self.folder / "state").write_text(json.dumps({"version": 3, "deployment": deployment}))

    def lock(self, text: str) -> None:
        folder = self.state / ".pulumi" / "locks" / "organization" / "mangakai-monitoring" / "prod"
        folder.mkdir(parents=True)
        (folder / "1.json").write_text(text)

    def repair(self) -> list[str]:
        environment = {"PATH": str(self.folder), "KUBECONFIG": str(self.folder / "kubeconfig")}
        return repair("prod", environment, self.folder)

    def refused(self) -> str:
        with pytest.raises(RepairError) as error:
            self.repair()
        return str(error.value)

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()

    def imported(self, name: str) -> dict[str, Any]:
        """Return a resource of the state that was written."""
        state = json.loads((self.folder / "imported").read_text())
        (found,) = (one for one in state["deployment"]["resources"] if one["urn"].endswith(f"::{name}"))
        return dict(found)

    @property
    def has_changed_something(self) -> bool:
        return any(line.startswith(("cancel", "stack import")) for line in self.asked)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr("operations.repair.repair._releases", lambda *_: Findings([], []))
    return Machine(tmp_path)


def lock(pid: object, host: str | None = None) -> str:
    return json.dumps({"pid": pid, "username": "ada", "hostname": host or socket.gethostname()})


@pytest.fixture
def dead() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_the_lock_of_a_dead_process_is_released(machine: Machine, dead: int) -> None:
    machine.lock(lock(dead))
    assert machine.repair() == [f"released the lock of ada@{socket.gethostname()}, process {dead}"]
    assert "cancel --yes --stack prod --non-interactive" in machine.asked


def test_a_running_update_is_left_alone(machine: Machine) -> None:
    machine.lock(lock(os.getpid()))
    assert machine.refused().startswith(f"stack prod is being updated by process {os.getpid()}: wait until it ends;")
    assert not machine.has_changed_something


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            lock(1, "another.example.com"),
            "whether ada@another.example.com, process 1 still updates stack prod cannot be",
        ),
        (lock(None), "process None still updates stack prod cannot be seen here"),
        ("", "stack prod is locked, and by whom cannot be read: Expecting value"),
    ],
)
def test_in_doubt_nothing_is_done(machine: Machine, text: str, words: str) -> None:
    machine.lock(text)
    message = machine.refused()
    assert words in message
    assert message.endswith("if you are sure that no update runs: pulumi cancel --stack prod")
    assert not machine.has_changed_something


def test_the_backend_is_the_one_that_pulumi_is_logged_in_to(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine.lock(lock(os.getpid()))
    home = pwd.struct_passwd(("u", "x", 1, 1, "", str(tmp_path), "sh"))
    monkeypatch.setattr("pwd.getpwuid", lambda _: home)
    monkeypatch.setenv("HOME", "/nowhere")  # which Pulumi does not look at either
    for url in ("~/state-of-stacks", "./state-of-stacks", "state-of-stacks?no_tmp_dir=true"):
        machine.backend(f"file://{url}")
        assert "is being updated by process" in machine.refused(), url


def test_a_state_that_is_not_found_is_no_state_without_locks(machine: Machine) -> None:
    machine.backend("file:///nowhere")
    assert "the state of backend file:///nowhere is not in /nowhere/.pulumi" in machine.refused()
    assert not machine.has_changed_something


def test_who_has_locked_another_backend_is_left_to_pulumi(machine: Machine) -> None:
    machine.backend("s3://states")
    assert machine.repair() == []
    verbs = [" ".join(line.split()[:2]) for line in machine.asked]
    assert verbs == ["config get", "whoami --json", "stack export", "stack import", "stack export"]
    (machine.folder / "locked").write_text("error: the stack is currently locked by 1 lock(s)")
    message = machine.refused()
    assert "the stack is currently locked by 1 lock(s)" in message
    assert message.endswith("if you are sure that no update runs: pulumi cancel --stack prod")
    assert not any(line.startswith("cancel") for line in machine.asked)


def test_a_kubeconfig_that_leads_elsewhere_is_refused_first(machine: Machine, dead: int) -> None:
    machine.lock(lock(dead))
    machine.kubeconfig("https://other.example.com")
    message = machine.refused()
    assert message.startswith("nothing was done: cluster.server: context 'x' leads to https://other.example.com, but")
    assert not machine.has_changed_something


def test_a_stack_without_a_cluster_is_one_sentence(machine: Machine) -> None:
    (machine.folder / "cluster").write_text("{}")
    assert machine.refused() == "stack prod names no cluster: `pulumi preview` says what is wrong"


class TestRecords:
    """Helm's records in the cluster, and the Releases in the state."""

    NAMESPACE = "urn:pulumi:prod::mangakai-monitoring::kubernetes:core/v1:Namespace::monitoring"
    RELEASE = f"urn:pulumi:prod::mangakai-monitoring::{helm_records.RELEASE_TYPE}::prometheus"
    PATH = "/api/v1/namespaces/monitoring"

    @pytest.fixture
    def machine(self, tmp_path: Path) -> Machine:
        return Machine(tmp_path)

    @classmethod
    def repaired(
        cls,
        machine: Machine,
        monkeypatch: pytest.MonkeyPatch,
        *records: str,
        owner: str | None = "mangakai-monitoring/prod",
    ) -> tuple[list[str], list[Any]]:
        """Return what is done where Helm has these records, and what it is asked to change."""
        metadata = {"name": "monitoring", "annotations": {"mangakai.com/owner": owner} if owner else None}
        content = base64.b64encode(gzip.compress(json.dumps({"info": {}}).encode()))
        secrets = {}
        for name, version, status in (record.split() for record in records):
            labels = {"name": name, "version": version, "status": status}
            secret = f"sh.helm.release.v1.{name}.v{version}"
            data = {"release": base64.b64encode(content).decode()}
            secrets[f"{cls.PATH}/secrets/{secret}"] = {"metadata": {"name": secret, "labels": labels}, "data": data}
        items = {"items": list(secrets.values())}
        objects = {cls.PATH: {"metadata": metadata}, f"{cls.PATH}/secrets": items, **secrets}
        changes: list[Any] = []
        with answering(objects, changes=changes) as address:
            lead_to(address, machine.folder, monkeypatch)
            cluster = {"name": "c", "region": "r", "context": CONTEXT, "server": "https://x"}
            (machine.folder / "cluster").write_text(json.dumps(cluster))
            monkeypatch.setattr("operations.repair.repair.problems", lambda *_: [])
            return machine.repair(), changes

    def test_those_of_somebody_else_stay(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        records = ("prometheus 1 pending-install", "theirs 1 pending-install")
        done, changes = self.repaired(machine, monkeypatch, *records)
        assert done == ["removed the Helm record prometheus v1 (pending-install) in monitoring"]
        assert changes == [("DELETE", f"{self.PATH}/secrets/sh.helm.release.v1.prometheus.v1", None)]

    def test_those_of_another_stack_stay(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        machine.resources(self.NAMESPACE)
        record, other = "prometheus 1 pending-install", "mangakai-monitoring/staging"
        assert self.repaired(machine, monkeypatch, record, owner=other) == ([], [])

    def test_where_a_namespace_names_nobody_the_state_decides(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = "prometheus 1 pending-install"
        assert self.repaired(machine, monkeypatch, record, owner=None) == ([], [])
        machine.resources(self.NAMESPACE)
        assert len(self.repaired(machine, monkeypatch, record, owner=None)[0]) == 1

    def test_what_runs_is_left_alone_where_the_state_has_lost_everything(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.repaired(machine, monkeypatch, "prometheus 1 deployed") == ([], [])
        machine.resources(self.NAMESPACE)
        done, _ = self.repaired(machine, monkeypatch, "prometheus 1 superseded", "prometheus 2 deployed")
        assert done == [
            "removed the Helm record prometheus v1 (superseded) in monitoring",
            "removed the Helm record prometheus v2 (deployed) in monitoring",
        ]

    @pytest.mark.parametrize(
        "status", ["pending-install", "pending-upgrade", "pending-rollback", "uninstalling", "uninstalled"]
    )
    def test_what_was_under_way_has_failed(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch, status: str
    ) -> None:
        machine.resources(self.NAMESPACE, self.RELEASE)
        done, changes = self.repaired(machine, monkeypatch, "prometheus 9 deployed", f"prometheus 10 {status}")
        assert done == [
            f"ended the Helm record prometheus v10 ({status}) in monitoring: failed",
            f"Release prometheus is at prometheus v10 ({status}), and Pulumi's state at v9: the next up upgrades it",
        ]
        ((verb, path, patch),) = changes
        assert (verb, path) == ("PATCH", f"{self.PATH}/secrets/sh.helm.release.v1.prometheus.v10")
        assert patch["metadata"]["labels"]["status"] == "failed"
        info = helm_records.content(patch["data"])["info"]
        assert info == {"status": "failed", "description": f"{status}, interrupted, and ended by make repair"}
        assert machine.imported("prometheus")["initErrors"] == [f"Helm's last revision is prometheus v10 ({status})"]

    @pytest.mark.parametrize(
        ("records", "upgraded"),
        [
            (["prometheus 9 deployed"], False),
            (["prometheus 9 superseded"], True),
            (["prometheus 9 failed"], True),
            (["prometheus 9 superseded", "prometheus 10 deployed"], True),
        ],
    )
    def test_a_revision_that_is_not_that_of_the_state_is_upgraded(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch, records: list[str], upgraded: bool
    ) -> None:
        machine.resources(self.NAMESPACE, self.RELEASE)
        done, changes = self.repaired(machine, monkeypatch, *records)
        assert (len(done), changes) == (upgraded, [])
        assert machine.has_changed_something == upgraded

    def test_what_the_next_up_upgrades_anyhow_is_not_told(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine.resources(self.NAMESPACE, self.RELEASE, init_errors=["not ready"])
        assert self.repaired(machine, monkeypatch, "prometheus 9 failed") == ([], [])

    def test_a_release_without_a_record_is_read_anew(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        machine.resources(self.NAMESPACE, self.RELEASE)
        assert self.repaired(machine, monkeypatch)[0] == ["read anew what the cluster has of prometheus"]
        assert machine.asked[-1] == (
            f"refresh --yes --skip-preview --target={self.RELEASE} --stack prod --non-interactive"
        )

    @pytest.mark.parametrize("operation", ["updating", "deleting"])
    def test_what_an_operation_had_begun_to_change_is_not_taken_for_done(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch, operation: str
    ) -> None:
        pending = tuple({"type": operation, "resource": {"urn": urn}} for urn in (self.NAMESPACE, self.RELEASE))
        machine.resources(self.NAMESPACE, self.RELEASE, pending=pending)
        done, _ = self.repaired(machine, monkeypatch, "prometheus 9 deployed")
        assert done == [
            f"cleared the pending operation {operation} of monitoring",
            f"cleared the pending operation {operation} of prometheus",
            "read anew what the cluster has of monitoring",
        ]
        assert machine.imported("prometheus")["initErrors"] == ["its last update was interrupted"]
