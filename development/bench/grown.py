"""The project with a multiple of its jobs, rules and dashboards."""

import json
import shutil
import subprocess
from pathlib import Path

from sandbox.layout import CHECKOUT

TIMES = 10
_PARTS = {"Pulumi.yaml", "__main__.py", "backup_agent", "components", "dashboards", "rules", "scrape"}


def write(folder: Path) -> None:
    """Write a copy of the project with TIMES its jobs, rules and dashboards into a folder."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        if name.partition("/")[0] in _PARTS:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CHECKOUT / name, folder / name)
    (folder / ".venv").symlink_to(CHECKOUT / ".venv")
    for copy in range(1, TIMES):
        for file in sorted((CHECKOUT / "rules").glob("*.yml")):
            text = file.read_text()
            for key in ("- alert: ", "- name: "):
                text = text.replace(key, f"{key}Copy{copy}")
            (folder / "rules" / f"{file.stem}-{copy}.yml").write_text(text)
        for file in sorted((CHECKOUT / "dashboards").glob("*.json")):
            dashboard = json.loads(file.read_text())
            dashboard["uid"] += f"-{copy}"
            (folder / "dashboards" / f"{file.stem}-{copy}.json").write_text(json.dumps(dashboard))
        for file in sorted((CHECKOUT / "scrape").glob("*.yml")):
            text = file.read_text().replace("- job_name: ", f"- job_name: copy{copy}-")
            (folder / "scrape" / f"copy{copy}-{file.name}").write_text(text)
