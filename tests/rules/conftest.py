"""Each stack rendered into a folder of its own, in which the absolute paths of the pods lead into that folder."""

import functools
import shutil
from pathlib import Path

import pytest

from components.foundation.certificate import self_signed
from components.foundation.names import HEARTBEAT_URL, SLACK_API_URL, SMTP_AUTH_PASSWORD
from components.metrics.notifications import SECRETS_FOLDER
from operations import render
from sandbox.build import ensure
from sandbox.program_pins import AMTOOL, PROMTOOL
from tests.offline import STACKS
from tests.rules.rendered import Rendered

_files = functools.cache(render.stack_files)


@pytest.fixture(scope="session")
def _tools() -> None:
    ensure([AMTOOL, PROMTOOL])


@pytest.fixture(params=STACKS)
def rendered(request: pytest.FixtureRequest, tmp_path: Path, _tools: None) -> Rendered:
    """Render one stack, as its pods will have it."""
    files = _files(request.param)
    pair = self_signed("dummy")
    dummies = {
        "pod/var/run/secrets/kubernetes.io/serviceaccount/token": "dummy",
        "pod/var/run/secrets/kubernetes.io/serviceaccount/ca.crt": pair["tls.crt"],
        "pod/etc/prometheus/web/password": "dummy",
        f"pod{SECRETS_FOLDER}/{SMTP_AUTH_PASSWORD}": "dummy",
        f"pod{SECRETS_FOLDER}/{SLACK_API_URL}": "https://hooks.slack.invalid/dummy",
        f"pod{SECRETS_FOLDER}/{HEARTBEAT_URL}": "https://heartbeat.invalid/dummy",
    }
    render.write(files | dummies, tmp_path)
    for source, target in {
        "rules": "pod/etc/prometheus/rules",
        "scrape_configs": "pod/etc/prometheus/scrape_configs",
        "templates": "pod/etc/alertmanager",
    }.items():
        shutil.copytree(tmp_path / source, tmp_path / target, dirs_exist_ok=True)
    return Rendered(request.param, tmp_path, files)
