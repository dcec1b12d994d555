"""The configuration that pods read, changed so that it works on this machine: addresses, paths, and the time scale."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from components.foundation.names import HEARTBEAT_URL, SLACK_API_URL, SMTP_AUTH_PASSWORD
from sandbox.demo.exporters import Target

# What is divided by the speed. An expression's own ranges never are: it is tested as it is.
DURATIONS = {
    "scrape_interval", "evaluation_interval", "interval", "for", "keep_firing_for", "group_wait", "group_interval",
    "repeat_interval",
}  # fmt: skip
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_IN_POD = re.compile(r"/etc/(?=prometheus/|alertmanager/|alertmanager-secrets/)")


class Ports(NamedTuple):
    """The TCP ports of a demo on 127.0.0.1."""

    prometheus: int
    alertmanager: int
    exporters: int
    smtp: int
    webhooks: int


def write(
    files: Mapping[str, str], folder: Path, ports: Ports, targets: Sequence[Target], password: str, speed: float
) -> None:
    """Write what the two programs read below `folder`, as it lies below /etc in their pods.

    Args:
        files: as `make render` writes them: prometheus.yml, scrape_configs/*, rules/*, alertmanager.yml, templates/*.
        folder: an absolute path.
        ports: who listens where.
        targets: what is scraped, instead of what discovery would find.
        password: of the mail server.
        speed: by which every duration but an expression's is divided.
    """
    texts = {"prometheus/prometheus.yml": _prometheus(files["prometheus.yml"], ports, speed)}
    texts["alertmanager/alertmanager.yml"] = _alertmanager(files["alertmanager.yml"], ports, speed)
    for path, text in files.items():
        kind, _, name = path.partition("/")
        if kind == "rules":
            texts[f"prometheus/rules/{name}"] = _dump(scaled(yaml.safe_load(text), speed))
        elif kind == "scrape_configs":
            texts[f"prometheus/scrape_configs/{name}"] = _jobs(text, ports, targets, speed)
        elif kind == "templates":
            texts[f"alertmanager/{name}"] = text
    texts[f"alertmanager-secrets/{SMTP_AUTH_PASSWORD}"] = password
    texts[f"alertmanager-secrets/{SLACK_API_URL}"] = f"http://127.0.0.1:{ports.webhooks}/slack"
    texts[f"alertmanager-secrets/{HEARTBEAT_URL}"] = f"http://127.0.0.1:{ports.webhooks}/heartbeat"
    for name, text in texts.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_IN_POD.sub(f"{folder}/", text))


def scaled(value: Any, speed: float) -> Any:
    """Return a parsed document with its durations divided by `speed`."""
    if isinstance(value, dict):
        return {
            key: _divided(inner, speed) if key in DURATIONS and isinstance(inner, str) else scaled(inner, speed)
            for key, inner in value.items()
        }
    return [scaled(inner, speed) for inner in value] if isinstance(value, list) else value


def _divided(duration: str, speed: float) -> str:
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhd])", duration))
    return f"{round(seconds / speed * 1000)}ms"


def _prometheus(text: str, ports: Ports, speed: float) -> str:
    config = scaled(yaml.safe_load(text), speed)
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [f"127.0.0.1:{ports.alertmanager}"]}]}]
    return _dump(config)


def _jobs(text: str, ports: Ports, targets: Sequence[Target], speed: float) -> str:
    own = {"prometheus": ports.prometheus, "alertmanager": ports.alertmanager}
    jobs = []
    for job in scaled(yaml.safe_load(text), speed)["scrape_configs"]:
        name = job["job_name"]
        static = [
            {
                "targets": [f"127.0.0.1:{target.port}"],
                "labels": {"__metrics_path__": target.path, **target.labels},
            }
            for target in targets
            if target.job == name
        ]
        if name in own:
            static.append(
                {
                    "targets": [f"127.0.0.1:{own[name]}"],
                    "labels": {"namespace": "monitoring", "pod": f"{name}-0", "instance": f"{name}-0"},
                }
            )
        kept = {key: job[key] for key in ("job_name", "scrape_interval", "honor_labels") if key in job}
        # What the demo does not run is not missed.
        jobs += [{**kept, "static_configs": static}] if static else []
    return _dump({"scrape_configs": jobs})


def _alertmanager(text: str, ports: Ports, speed: float) -> str:
    config = scaled(yaml.safe_load(text), speed)
    config["global"] |= {"smtp_smarthost": f"127.0.0.1:{ports.smtp}", "smtp_require_tls": False}
    return _dump(config)


def _dump(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
