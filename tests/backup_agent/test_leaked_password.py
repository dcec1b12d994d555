"""The commands of docs/leaked-secrets.md for the password of the backups, with the real restic."""

import subprocess
from pathlib import Path

from sandbox.program_pins import RESTIC
from tests.unit.documents.shell_blocks import blocks

FORMER, NEXT = "canary-restic-51c9", "another-restic-51c9"
DOCUMENTED = "s3:https://s3.ap-southeast-1.amazonaws.com/BUCKET/grafana"


def restic(environment: dict[str, str], repository: Path, password: str, *arguments: str) -> int:
    """Return the exit status of restic."""
    variables = {**environment, "RESTIC_PASSWORD": password, "RESTIC_REPOSITORY": str(repository)}
    command = [str(RESTIC.path), "--quiet", *arguments]
    return subprocess.run(command, env=variables, capture_output=True, timeout=60, check=False).returncode


def test_the_next_password_opens_the_repository_and_the_former_one_does_not(
    environment: dict[str, str], tmp_path: Path
) -> None:
    repository, saved = tmp_path / "repository", tmp_path / "grafana.db"
    saved.write_text("dashboards")
    assert restic(environment, repository, FORMER, "init") == 0
    assert restic(environment, repository, FORMER, "backup", str(saved)) == 0
    (block,) = (one.commands for one in blocks() if "restic key passwd" in one.commands)
    assert DOCUMENTED in block
    commands = block.replace("RESTIC_PASSWORD=…", f"RESTIC_PASSWORD={FORMER}").replace(DOCUMENTED, str(repository))
    subprocess.run(["bash", "-euc", commands], env=environment, input=f"{NEXT}\n", text=True, timeout=60, check=True)
    assert restic(environment, repository, FORMER, "snapshots") != 0
    assert restic(environment, repository, NEXT, "restore", "latest", "--target", str(tmp_path / "restored")) == 0
    assert [file.read_text() for file in (tmp_path / "restored").rglob("grafana.db")] == ["dashboards"]
