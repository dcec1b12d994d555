"""Backups of the stack `prod` on a live cluster, and a restore drill: the S3 is moto, under its real name."""

import json
import os
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.program_pins import PROMTOOL
from tests.live import checks
from tests.live.asking import ask, is_ready, pods, until
from tests.live.checks import ALERTMANAGER
from tests.live.elastic import documents
from tests.live.prod.logins import WEB
from tests.live.prod.prometheus import answer
from tests.sandbox.conftest import Api, Project

NOBODY = 65534
CLAIM = "storage-volume-prometheus-0"
COMMENT = "kept by the backup"


@pytest.mark.usefixtures("application")
def test_what_is_lost_comes_back_from_the_backup(project: Project, api: Api, tmp_path: Path) -> None:
    hours_ago = time.time() - 6 * 3600
    add_block(api, hours_ago, tmp_path)
    worked = f"sum(count_over_time(work_done_total[2h] @ {hours_ago + 7200:.0f}))"
    until(lambda: answer(project, worked), 180, "the block in Prometheus")
    silence = silenced()
    until(lambda: documents(project, api, '"canary 5"'), 120, "a line in the index")

    done = checks.run(project, "prod", "backups.backup", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    saved = json.loads(done.stdout)["parts"]
    print("\n" + "\n".join(f"{one['part']} ({one['pod']}) saved in {one['seconds']} s" for one in saved))
    parts = {"prometheus", "grafana", "alertmanager", "mangakai-logs", "mangakai-traces", "manifest"}
    assert {one["part"] for one in saved} == parts
    before, saved_at = answer(project, worked), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"

    lose_volume(api)
    until(lambda: (found := sizes(project)) and found[-1] == 0 < max(found), 120, "a backup of the empty volume")
    done = checks.run(project, "prod", "backups.restore", "--part", "prometheus")
    assert done.returncode == 1
    assert "holds less than half of an earlier one" in done.stderr
    assert answer(project, worked) is None
    assert ask(f"{ALERTMANAGER}/api/v2/silence/{silence}", WEB, method="DELETE").status == 200
    until(lambda: not active_silences(), 30, "no silence, of any of the three")
    for part in ("prometheus", "alertmanager", "mangakai-logs"):
        began = time.monotonic()
        done = checks.run(project, "prod", "backups.restore", "--part", part, "--snapshot", saved_at)
        assert done.returncode == 0, done.stdout + done.stderr
        print(f"{part} restored in {time.monotonic() - began:.0f} s")
    until(lambda: answer(project, worked) == before, 120, "the samples of before")
    until(active_silences, 60, "the silence")
    # In the index, and in the one that was restored beside it.
    until(lambda: documents(project, api, '"canary 5"') == 2, 60, "the restored line")


def sizes(project: Project) -> list[int]:
    """Return how much each backup of prometheus-0 holds, the oldest first; nothing while its pod cannot be asked."""
    done = checks.run(project, "prod", "backups.restore", "--json")
    return [one["size"] for one in json.loads(done.stdout or "{}").get("prometheus (prometheus-0)", [])]


def add_block(api: Api, begin: float, folder: Path) -> None:
    """Add a block of two hours from `begin` on to the data of prometheus-0, as if it had run then."""
    samples = [f'work_done_total{{worker="1"}} {minute} {begin + 60 * minute:.0f}' for minute in range(120)]
    text = folder / "openmetrics"
    text.write_text("# TYPE work_done counter\n" + "\n".join(samples) + "\n# EOF\n")
    made = folder / "data"
    command = [str(PROMTOOL.path), "tsdb", "create-blocks-from", "openmetrics", str(text), str(made)]
    subprocess.run(command, check=True, capture_output=True)
    volume = api.get(f"/api/v1/namespaces/monitoring/persistentvolumeclaims/{CLAIM}")["spec"]["volumeName"]
    data = Path(api.get(f"/api/v1/persistentvolumes/{volume}")["spec"]["local"]["path"])
    for block in made.iterdir():
        shutil.copytree(block, data / block.name)
        for file in (data / block.name, *(data / block.name).rglob("*")):
            os.chown(file, NOBODY, NOBODY)


def silenced() -> str:
    """Set a silence, and return its id."""
    times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + later)) for later in (0, 3600)]
    silence = {
        "matchers": [{"name": "alertname", "value": "Nothing", "isRegex": False}],
        "startsAt": times[0],
        "endsAt": times[1],
        "createdBy": "test",
        "comment": COMMENT,
    }
    return str(ask(f"{ALERTMANAGER}/api/v2/silences", WEB, silence).document["silenceID"])


def active_silences() -> list[str]:
    """Return the ids of the silences of this test that hold."""
    found = ask(f"{ALERTMANAGER}/api/v2/silences", WEB).document
    return [one["id"] for one in found if one["comment"] == COMMENT and one["status"]["state"] == "active"]


def lose_volume(api: Api) -> None:
    """Delete the volume of prometheus-0, which comes back with an empty one."""
    before = api.claims()[CLAIM]
    api.core.delete_namespaced_persistent_volume_claim(CLAIM, "monitoring")
    api.core.delete_namespaced_pod("prometheus-0", "monitoring")
    until(lambda: api.claims().get(CLAIM, before) != before, 60, "a new volume")
    until(
        lambda: [pod for pod in pods(api) if pod["metadata"]["name"] == "prometheus-0" and is_ready(pod)], 180, "ready"
    )
