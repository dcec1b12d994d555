"""Format, lint, strict types, imports, documents and their links, workflows, Renovate, shell, Makefile: `make check`.

Prints each tool's verdict, and what is wrong.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def checks(root: Path = ROOT) -> dict[str, list[str]]:
    """Return the command of each check of the checkout in `root`, by name; they are run there."""
    python = [sys.executable, "-m"]
    programs = Path(sys.executable).parent
    # Its schemas lie in the package: nothing is fetched.
    by_schema = [str(programs / "check-jsonschema"), "--builtin-schema"]
    github = root / ".github"
    makefile = root / "Makefile"
    targets = re.findall(r"^([a-z-]+):.*## ", makefile.read_text(), flags=re.MULTILINE)
    return {
        "format": [*python, "ruff", "format", "--check", "."],
        "lint": [*python, "ruff", "check", "."],
        "types": [*python, "mypy"],
        "imports": [str(programs / "lint-imports"), "--no-cache"],
        "packages": [str(programs / "deptry"), "--no-ansi", "."],
        "instrumentation": [
            str(programs / "deptry"),
            "--no-ansi",
            "instrumentation",
            "--config",
            "instrumentation/pyproject.toml",
        ],
        "docs": [*python, "development.docs", "--check"],
        "links": [*python, "development.links"],
        "audit": [str(programs / "zizmor"), "--offline", "--no-progress", ".github"],
        "workflows": [*by_schema, "vendor.github-workflows", *map(str, sorted(github.glob("workflows/*.yml")))],
        "actions": [*by_schema, "vendor.github-actions", *map(str, sorted(github.glob("actions/*/action.yml")))],
        "renovate": [*by_schema, "vendor.renovate", "renovate.json"],
        "shell": [str(programs / "shellcheck"), *map(str, _shell_scripts(root))],
        # Each verb's recipe is expanded, not run: an undefined variable or a missing prerequisite is an error.
        "makefile": ["make", "--warn-undefined-variables", "--dry-run", "--no-print-directory", *targets],
    }


def _shell_scripts(root: Path) -> list[Path]:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    files = [root / name for name in tracked.split("\0") if name]
    return [
        file
        for file in files
        if file.is_file() and file.read_bytes()[:30].startswith((b"#!/bin/sh", b"#!/usr/bin/env bash"))
    ]


def main() -> int:
    """Run every check. Returns 0, or 1 where one found something."""
    argparse.ArgumentParser(prog="make check", description=__doc__).parse_args()
    failed = False
    for name, command in checks().items():
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        wrong = done.returncode != 0 or (name == "makefile" and "warning:" in done.stderr)
        failed |= wrong
        print(f"{name:15} {'WRONG' if wrong else 'ok'}", flush=True)
        if wrong:
            print(done.stderr if name == "makefile" else done.stdout + done.stderr, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
