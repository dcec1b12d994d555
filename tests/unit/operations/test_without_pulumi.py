"""The verbs that call `pulumi`, where there is none: one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.offline import ROOT
from tests.unit.components.settings.test_settings import write_kubeconfig


@pytest.mark.parametrize("verb", ["repair", "drift", "preview"])
def test_it_is_told(verb: str, tmp_path: Path) -> None:
    cluster = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())["config"]["mangakai-monitoring:cluster"]
    write_kubeconfig(tmp_path / "config", cluster["server"])
    done = subprocess.run(
        [sys.executable, "-m", f"operations.{verb}", "--stack", "prod"],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "config")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (1, 2), done.stderr
    assert "there is no pulumi on the PATH" in done.stderr
    assert "Traceback" not in done.stderr
