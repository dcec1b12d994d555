"""Format, lint, strict types, generated documents, shell and Makefile lint: `make check`.

Prints each tool's verdict, and what is wrong.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def checks() -> dict[str, list[str]]:
    """Return the command of each check, by name."""
    python = [sys.executable, "-m"]
    makefile = ROOT / "Makefile"
    targets = re.findall(r"^([a-z-]+):.*## ", makefile.read_text(), flags=re.MULTILINE)
    return {
        "format": [*python, "ruff", "format", "--check", "."],
        "lint": [*python, "ruff", "check", "."],
        "types": [*python, "mypy"],
        "imports": [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        "docs": [*python, "development.docs", "--check"],
        "shell": [str(Path(sys.executable).parent / "shellcheck"), *map(str, _shell_scripts())],
        # Each verb's recipe is expanded, not run: an undefined variable or a missing prerequisite is an error.
        "makefile": ["make", "--warn-undefined-variables", "--dry-run", "--no-print-directory", *targets],
    }


def _shell_scripts() -> list[Path]:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in tracked.split("\0") if name]
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
        print(f"{name:9} {'WRONG' if wrong else 'ok'}", flush=True)
        if wrong:
            print(done.stderr if name == "makefile" else done.stdout + done.stderr, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
