"""The hooks are those of `make check`: nothing else, and nothing that has to be fetched."""

import sys
from pathlib import Path

import yaml

from development.check import checks
from tests.offline import ROOT


def test_each_hook_is_a_tool_of_make_check() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    venv = Path(sys.executable).parent
    commands = {name: [one.replace(f"{venv}/", ".venv/bin/") for one in command] for name, command in checks().items()}
    hooks = {hook["id"]: hook for hook in repository["hooks"]}
    # The Makefile is checked by `make check` alone: it takes every verb there is.
    assert hooks.keys() == commands.keys() - {"makefile"}
    for name, hook in hooks.items():
        assert hook["language"] == "system", name
        words = commands[name]
        if hook.get("pass_filenames", True):
            # The files are those of the commit, instead of all.
            words = [word for word in words if word != "." and not word.startswith("/")]
        assert [word for word in hook["entry"].split() if word != "--force-exclude"] == words, name
