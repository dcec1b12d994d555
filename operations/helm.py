"""Helm's command line: the sandbox's, which is of the provider's version, or else the one on the PATH."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from operations.cache import cache

# What charts are told that the cluster is: the sandbox's, and near to EKS's.
KUBERNETES = "1.36.3"


class HelmError(Exception):
    """Helm is not there, or it or a chart refuses something; the message says what."""


def helm(
    *arguments: str, text: str = "", environment: Mapping[str, str] | None = None, root: Path | None = None
) -> str:
    """Return what Helm prints.

    Args:
        arguments: of its command line.
        text: its standard input.
        environment: with its kubeconfig; this process' if None.
        root: the directory that paths are relative to; the current one if None.

    Raises:
        HelmError: there is no Helm, or it fails.
    """
    program = _built() or shutil.which("helm")
    if program is None:
        raise HelmError(
            "there is no helm: install it (https://helm.sh/docs/intro/install/), "
            "or build the sandbox's: .venv/bin/python -m sandbox.build engine"
        )
    done = subprocess.run(
        [program, *arguments], input=text, env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise HelmError(done.stderr.strip())
    return done.stdout


def _built() -> str | None:
    """Return the Helm that the sandbox has built, the newest if there are several."""
    found = sorted((cache() / "programs").glob("helm-*/helm"), key=lambda path: path.stat().st_mtime)
    return str(found[-1]) if found else None


def template(
    name: str, namespace: str, chart: Path, values: Mapping[str, Any], *more: str, root: Path | None = None
) -> str:
    """Return the manifests that a chart makes of the values.

    Args:
        name: of the release.
        namespace: of the release.
        chart: the archive or the folder.
        values: which may be of any size.
        more: arguments of `helm template`.
        root: the directory that `chart` is relative to; the current one if None.

    Raises:
        HelmError: there is no Helm, or the chart refuses the values.
    """
    # Helm built as a library of the provider takes itself for a client of Kubernetes 1.20, which charts refuse.
    where = ["--namespace", namespace, "--kube-version", KUBERNETES]
    return helm("template", name, str(chart), *where, *more, "--values", "-", text=json.dumps(values), root=root)
