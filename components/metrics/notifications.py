"""alertmanager.yml and its templates: whom Alertmanager notifies of what, and in which words."""

from pathlib import Path
from typing import Any

import yaml

from ..foundation.names import HEARTBEAT_URL, SLACK_API_URL, SMTP_AUTH_PASSWORD
from ..settings.metrics import AlertmanagerSettings

SECRETS_FOLDER = "/etc/alertmanager-secrets"
APPLICATION_ERROR = "ApplicationError"  # as in components/logs/pipelines/errors.conf

_TEMPLATES = Path(__file__).parent.parent.parent / "rules" / "templates"

# What one alert makes another say nothing new (D-049: the guide's rule could never apply). Both have one name: an alert
# that was told, and is muted by another when it ends, is never told to be over; and what says that something is down
# must not mute what says why.
_INHIBIT_RULES = [
    {
        "source_matchers": ['severity="critical"'],
        "target_matchers": ['severity="warning"'],
        # Of the same thing: what neither alert has counts as equal.
        "equal": [
            *("alertname", "cluster", "service"),
            *("namespace", "pod", "instance", "node", "mountpoint", "persistentvolumeclaim"),
        ],
    },
    # All targets of a job are down: not each of them again.
    {
        "source_matchers": ['alertname="TargetDown"', 'severity="critical"'],
        "target_matchers": ['alertname="TargetDown"', 'severity="warning"'],
        "equal": ["cluster", "job"],
    },
]


def templates() -> dict[str, str]:
    """Return the notification templates by file name."""
    return {path.name: path.read_text() for path in sorted(_TEMPLATES.glob("*.tmpl"))}


def links(grafana_url: str, kibana_url: str) -> str:
    """Return the template that tells the others where Grafana and Kibana are: only the cluster knows."""
    urls = {"grafana": grafana_url, "kibana": kibana_url}
    return "".join(f'{{{{ define "mangakai.{name}" }}}}{url}{{{{ end }}}}\n' for name, url in urls.items())


def render(settings: AlertmanagerSettings) -> str:
    """Return alertmanager.yml: receivers, routes and inhibition of the guide (S-039 to S-051)."""
    config = {
        "global": {
            "smtp_smarthost": settings.smtp.smarthost,
            "smtp_from": settings.smtp.from_,
            "smtp_auth_username": settings.smtp.auth_username,
            "smtp_auth_password_file": f"{SECRETS_FOLDER}/{SMTP_AUTH_PASSWORD}",
        },
        "templates": ["/etc/alertmanager/*.tmpl"],
        "route": {
            "group_by": ["alertname", "cluster", "service"],
            "group_wait": "10s",
            "group_interval": "5m",  # D-050: the guide's 10s mails each new member of a group at once
            "repeat_interval": "1h",
            "receiver": "default",
            "routes": [
                {
                    # From Logstash, for each service and logger: at most one mail in 15 minutes (S-076, D-091), also
                    # where an error comes, is over and comes again, as a group looks at that once in its interval.
                    "matchers": [f'alertname="{APPLICATION_ERROR}"'],
                    "receiver": "application-errors",
                    "group_by": ["alertname", "cluster", "service", "logger"],
                    "group_wait": "0s",
                    "group_interval": "15m",
                    # An interval counts from its start, a repetition from the mail, which is sent a moment later: 15m
                    # would be due with each second interval only. So Alertmanager warns at its start that 14m is less
                    # than 15m, and that is meant.
                    "repeat_interval": "14m",
                },
                {
                    "matchers": ['severity="critical"'],
                    "receiver": "critical-alerts",
                    "group_wait": "10s",  # D-051: Prometheus' replicas find the same outage up to 15 s apart
                    "repeat_interval": "30m",
                },
                {"matchers": ['severity="warning"'], "receiver": "warning-alerts", "repeat_interval": "2h"},
                # The Watchdog is for machines (D-053).
                {
                    "matchers": ['severity="none"'],
                    "receiver": "heartbeat" if settings.heartbeat else "none",
                    "group_wait": "0s",
                    "group_interval": "30s",
                    "repeat_interval": "50s",  # so each second interval sends: once a minute
                },
            ],
        },
        "receivers": [
            {"name": "default", "email_configs": [_email(settings.team_email, "default")]},
            {
                "name": "critical-alerts",
                "email_configs": [_email(settings.oncall_email, "critical")],
                "slack_configs": [_slack(settings.slack_channel)],
            },
            {"name": "warning-alerts", "email_configs": [_email(settings.team_email, "warning")]},
            # An error is no state that ends.
            {
                "name": "application-errors",
                "email_configs": [_email(settings.team_email, "error") | {"send_resolved": False}],
            },
            _heartbeat() if settings.heartbeat else {"name": "none"},
        ],
        "inhibit_rules": _INHIBIT_RULES,
    }
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def _email(to: str, kind: str) -> dict[str, Any]:
    return {
        "to": to,
        "headers": {"Subject": f'{{{{ template "mangakai.{kind}.subject" . }}}}'},
        "text": f'{{{{ template "mangakai.{kind}.text" . }}}}',
        "html": '{{ template "mangakai.html" . }}',
        "send_resolved": True,  # else nobody learns that it is over (D-052)
    }


def _slack(channel: str) -> dict[str, Any]:
    return {
        "api_url_file": f"{SECRETS_FOLDER}/{SLACK_API_URL}",
        "channel": channel,
        "title": '{{ template "mangakai.slack.title" . }}',
        "title_link": '{{ template "mangakai.silence" . }}',
        "fallback": '{{ template "mangakai.slack.title" . }}',
        "text": '{{ template "mangakai.slack.text" . }}',
        "send_resolved": True,
    }


def _heartbeat() -> dict[str, Any]:
    return {
        "name": "heartbeat",
        "webhook_configs": [{"url_file": f"{SECRETS_FOLDER}/{HEARTBEAT_URL}", "send_resolved": False}],
    }
