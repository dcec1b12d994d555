"""Golden previews: what `make preview BASE=…` says of one change each, from a commit of this tree to the next."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import stand_ins
from sandbox.build import ensure
from sandbox.program_pins import Group, of_groups
from tests.offline import ROOT
from tests.preview.charts import newer_prometheus

# What the stack's file holds of secrets is encrypted, and no output has it all the same.
CANARY, ROTATED = "v1:canary-encrypted-1d6f", "v1:canary-rotated-1d6f"
SECRETS = "".join(
    f"  mangakai-monitoring:{key}:\n    secure: {CANARY}/{key}\n"
    for key in (
        "smtpAuthPassword",
        "slackApiUrl",
        "grafanaAdminPassword",
        "webPassword",
        "kibanaPassword",
        "internalSeed",
        "sentryDsn",
    )
)


class Tree:
    """A copy of this tree with a history of its own, which a test may change."""

    def __init__(self, folder: Path, charts: Path) -> None:
        self.folder, self.charts = folder, charts

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace a text wherever a file has it."""
        text = (self.folder / file).read_text()
        assert old in text
        (self.folder / file).write_text(text.replace(old, new))

    def preview(self, *arguments: str, charts: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Preview production against the last commit, and see that nothing of its secrets comes out."""
        command = [sys.executable, "-m", "operations.preview", "--base", "HEAD", "--charts", str(charts or self.charts)]
        done = subprocess.run(
            [*command, "--stack", "prod", *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        print(done.stdout, done.stderr, sep="\n")
        for text in (done.stdout, done.stderr):
            assert "canary" not in text
            assert "secret.invalid" not in text, "what stands for a secret is shown"
        return done

    def golden(self, status: int, *summary: str) -> str:
        """Preview, hold status and summary against those expected, and return what comes before the summary."""
        done = self.preview()
        lines = done.stdout.splitlines()
        begin = next(number for number, line in enumerate(lines) if line.startswith("Stack prod, against HEAD:"))
        assert lines[begin:] == list(summary)
        assert done.returncode == status
        assert self.git("worktree", "list").count("\n") == 1, "the tree of the base is still there"
        return "\n".join(lines[:begin])


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    ensure(of_groups(Group.ENGINE, Group.CLUSTER))
    folder, charts = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("charts")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    stand_ins.pack(charts)
    tree = Tree(folder, charts)
    with (folder / "Pulumi.prod.yaml").open("a") as file:
        file.write(SECRETS)
    tree.git("init", "--quiet")
    tree.git("add", "--all")
    tree.git("commit", "--quiet", "--message", "all")
    return tree


@pytest.fixture
def tree(committed: Tree) -> Iterator[Tree]:
    """The tree as it is committed, before and after."""
    yield committed
    committed.git("reset", "--quiet", "--hard")


def test_nothing(tree: Tree) -> None:
    assert tree.golden(0, "Stack prod, against HEAD: nothing changes.") == ""


def test_a_module_that_moved(tree: Tree) -> None:
    """Of the base and of this checkout, neither imports what only the other one has."""
    tree.git("mv", "operations/aws_outputs.py", "operations/aws_answers.py")
    tree.replace(
        "operations/offline_run.py",
        "from operations import aws_outputs\n",
        "from operations import aws_answers as aws_outputs\n",
    )
    assert tree.golden(0, "Stack prod, against HEAD: nothing changes.") == ""


def test_a_threshold(tree: Tree) -> None:
    tree.replace("rules/application.yml", "> 0.05 # threshold", "> 0.06 # threshold")
    details = tree.golden(0, "Stack prod, against HEAD: 1 changed.")
    assert "~ ConfigMap monitoring/prometheus-rules" in details
    assert "- ) > 0.05 # threshold" in details
    assert "+ ) > 0.06 # threshold" in details


def test_a_chart(tree: Tree, tmp_path: Path) -> None:
    newer_prometheus(tree.charts, tmp_path)
    tree.replace("components/foundation/chart_pins.py", '"29.27.0"', '"29.28.0"')
    details = tree.golden(
        0,
        "Stack prod, against HEAD: 3 changed.",
        "  Only labels and checksums of the chart: 10 objects",
        "  Restarts: DaemonSet monitoring-agents/node-exporter, Deployment monitoring/kube-state-metrics, "
        "StatefulSet monitoring/prometheus",
    )
    assert "Release monitoring/prometheus, chart prometheus-29.27.0 -> prometheus-29.28.0" in details
    assert "+ quay.io/prometheus/prometheus:v3.15.0" in details
    assert "helm.sh/chart" not in details


def test_replicas(tree: Tree) -> None:
    tree.replace("Pulumi.prod.yaml", "config:\n", "config:\n  mangakai-monitoring:prometheus: {replicas: 3}\n")
    details = tree.golden(0, "Stack prod, against HEAD: 1 changed.")
    assert "spec.replicas\n        - 2\n        + 3" in details


def test_a_storage_size(tree: Tree) -> None:
    tree.replace("Pulumi.prod.yaml", "config:\n", "config:\n  mangakai-monitoring:prometheus: {storage: 200Gi}\n")
    details = tree.golden(
        3,
        "Stack prod, against HEAD: 1 changed.",
        "  Cannot change in place: StatefulSet monitoring/prometheus (spec.volumeClaimTemplates)",
        "    StatefulSet prometheus has to be made anew for this, around its pods: kubectl -n monitoring delete "
        "statefulset prometheus --cascade=orphan, then pulumi up. A larger volume: make grow instead "
        "(docs/changes.md)",
    )
    assert "+ storage: 200Gi" in details


def test_a_removed_dashboard(tree: Tree) -> None:
    (tree.folder / "dashboards" / "business.json").unlink()
    tree.golden(3, "Stack prod, against HEAD: 1 removed.", "  Deleted: ConfigMap monitoring/dashboard-business")


TYPE, RENAMED = '"mangakai:monitoring:AlertRules", name, {}, opts', '"mangakai:monitoring:Rules", name, {}, opts'
ALIAS = 'pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="mangakai:monitoring:AlertRules")])'


def test_a_renamed_component(tree: Tree) -> None:
    tree.replace("components/metrics/alert_rules.py", TYPE, RENAMED)
    tree.golden(
        3,
        "Stack prod, against HEAD: 1 moved.",
        "  Made under one URN, then deleted under another, though it is the same (an alias keeps it): "
        "ConfigMap monitoring/prometheus-rules",
    )


def test_a_renamed_component_with_its_alias(tree: Tree) -> None:
    aliased = RENAMED.replace("opts", f"pulumi.ResourceOptions.merge(opts, {ALIAS})")
    tree.replace("components/metrics/alert_rules.py", TYPE, aliased)
    tree.golden(0, "Stack prod, against HEAD: nothing changes.")


def test_a_rotated_secret(tree: Tree) -> None:
    tree.replace("Pulumi.prod.yaml", f"{CANARY}/slackApiUrl", ROTATED)
    details = tree.golden(
        0,
        "Stack prod, against HEAD: 1 changed.",
        "  Secrets that change: Secret monitoring/alertmanager-notifications (slack-api-url)",
    )
    assert "stringData.slack-api-url\n        ~ [secret]" in details
    told = json.loads(tree.preview("--json").stdout)
    assert [change["object"] for change in told["others"]] == ["Secret monitoring/alertmanager-notifications"]
    assert told["status"] == 0


def test_a_rotated_seed_changes_all_that_is_derived_from_it(tree: Tree) -> None:
    tree.replace("Pulumi.prod.yaml", f"{CANARY}/internalSeed", ROTATED)
    done = tree.preview()
    assert "Secret monitoring/logstash-certificate (ca.crt, tls.crt, tls.key)" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--base", "no-such-ref"], "no-such-ref"),
        (["--stack", "nowhere"], "preview: there is no stack nowhere in HEAD: Pulumi.nowhere.yaml is missing"),
    ],
)
def test_what_is_not_there_is_named(tree: Tree, arguments: list[str], said: str) -> None:
    done = tree.preview(*arguments)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (1, "")


def test_a_missing_archive_is_named_with_its_remedy(tree: Tree, tmp_path: Path) -> None:
    tree.replace("Pulumi.prod.yaml", "config:\n", "config:\n  mangakai-monitoring:prometheus: {replicas: 3}\n")
    done = tree.preview(charts=tmp_path)
    assert f"the archive of chart prometheus-29.27.0.tgz is missing in {tmp_path}. Run: make charts" in done.stderr
    assert done.returncode == 1


def test_a_wrong_setting_is_told_without_a_traceback(tree: Tree) -> None:
    tree.replace("Pulumi.prod.yaml", "config:\n", "config:\n  mangakai-monitoring:prometheus: {replica: 3}\n")
    done = tree.preview()
    assert "prometheus.replica: unknown key" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
