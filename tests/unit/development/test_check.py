"""What `make check` adds to the compilers' own tools finds what is broken on purpose."""

import shutil
import subprocess
from pathlib import Path

import pytest

from development.check import checks
from tests.offline import ROOT


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what git knows, in a repository of its own."""
    copy = tmp_path_factory.mktemp("checkout")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in names:
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
    return copy


@pytest.mark.parametrize(
    ("check", "file", "text", "instead", "said"),
    [
        (
            "packages",
            "components/foundation/cluster_reader.py",
            "from urllib3.exceptions",
            "from idna",
            "'idna' imported",
        ),
        ("packages", "pyproject.toml", '    "urllib3>=2.8,<3",\n', "", "'urllib3' imported but it is a transitive"),
        ("instrumentation", "instrumentation/pyproject.toml", '    "kombu>=5.6,<6",\n', "", "'kombu' imported"),
        ("links", "CONTRIBUTING.md", "sandbox.md#the-images", "sandbox.md#images", "no heading there makes the anchor"),
        (
            "audit",
            ".github/workflows/drift.yml",
            'STACK="$STACK"',
            "STACK=${{ github.head_ref }}",
            "template-injection",
        ),
        ("workflows", ".github/workflows/deploy.yml", "runs-on:", "run-on:", "'runs-on' is a required property"),
        (
            "actions",
            ".github/actions/stack/action.yml",
            "using: composite",
            "using: composit",
            "'composit' is not one of",
        ),
        ("renovate", "renovate.json", '"Asia/Singapore"', "8", "8 is not of type 'string'"),
    ],
)
def test_what_is_broken_is_found(checkout: Path, check: str, file: str, text: str, instead: str, said: str) -> None:
    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(checks(checkout)[check], cwd=checkout, capture_output=True, text=True, check=False)

    path = checkout / file
    whole = path.read_text()
    assert run().returncode == 0
    path.write_text(whole.replace(text, instead, 1))
    try:
        done = run()
    finally:
        path.write_text(whole)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
