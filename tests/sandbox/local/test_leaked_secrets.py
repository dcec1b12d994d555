"""The commands of docs/leaked-secrets.md on a stack that is up: afterwards a secret is another one wherever it was."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.sandbox.conftest import CANARIES, Api, Project
from tests.sandbox.waiting import until
from tests.unit.documents.shell_blocks import blocks

USERS = [f"mangakai-logs-user-{user}" for user in ("grafana", "logstash", "backup", "metrics")]
USERS += [f"mangakai-traces-user-{user}" for user in ("jaeger", "backup", "metrics")]
SUPERUSERS = [f"mangakai-{what}-es-elastic-user" for what in ("logs", "traces")]


@pytest.fixture(scope="module", autouse=True)
def set_back(project: Project) -> Iterator[None]:
    """What was changed is set back: what the stack was made with is forgotten, so that it is made again."""
    yield
    (project.sandbox.project / "fingerprint.local").unlink()
    project.prepare("local")
    project.up("local")


def run(project: Project, marker: str) -> None:
    """Run the block of the page in which `marker` stands, as whoever reads it does."""
    found = [one.commands for one in blocks() if one.where.startswith("docs/leaked-secrets.md:")]
    (commands,) = (text for text in found if marker in text)
    variables = project.environment("local") | {"PULUMI_SKIP_CONFIRMATIONS": "true"}
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands.replace("select prod", "select local")],
        cwd=project.folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )


def test_a_new_webhook_is_where_alertmanager_reads_it(project: Project, api: Api) -> None:
    assert api.secret("alertmanager-notifications")["slack-api-url"] == CANARIES["slackApiUrl"]
    run(project, "--secret slackApiUrl")
    assert api.secret("alertmanager-notifications")["slack-api-url"] == "https://hooks.slack.com/services/…"


def test_another_seed_is_another_password_of_every_program(project: Project, api: Api) -> None:
    def passwords() -> dict[str, str]:
        return {name: api.secret(name)["password"] for name in USERS}

    def key() -> str:
        return api.secret("logstash-certificate")["tls.key"]

    before, key_before = passwords(), key()
    run(project, "--secret internalSeed")
    after = passwords()
    assert [name for name in USERS if before[name] == after[name]] == []
    assert key() != key_before
    print(f"\n{len(USERS)} passwords are others")


def test_the_superusers_get_another_password(project: Project, api: Api) -> None:
    def passwords() -> list[str]:
        return [api.made(f"/api/v1/namespaces/monitoring/secrets/{name}")["data"]["elastic"] for name in SUPERUSERS]

    before = passwords()
    run(project, "es-elastic-user")
    until(lambda: not set(before) & set(passwords()), 120)
