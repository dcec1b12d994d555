"""The table after `make up`: each URL, whether it answers, where its password is; and what to do next."""

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlsplit

_LOGINS = {
    "prometheus": "monitoring / pulumi config get webPassword (asked where exposure.authentication is on)",
    "alertmanager": "as for Prometheus",
    "grafana": "admin / pulumi config get grafanaAdminPassword",
    "kibana": "monitoring / pulumi config get kibanaPassword",
    "jaeger": "none: Jaeger has no login",
    "otlp": "none: for programs in the cluster",
}
_LOCAL = {"localhost", "127.0.0.1"}


def wait(urls: Mapping[str, str], seconds: float) -> None:
    """Wait until each URL on this machine answers, or that long: pods start after `up` where their node did."""
    deadline = time.monotonic() + seconds
    while any(_answers(url) == "no" for url in urls.values()) and time.monotonic() < deadline:
        time.sleep(1)


def show(urls: Mapping[str, str], as_json: bool) -> None:
    """Print the table, or the same as JSON."""
    rows = [
        {"part": part, "url": url, "answers": _answers(url), "login": _LOGINS.get(part, "")}
        for part, url in sorted(urls.items())
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    width = max(len(row["url"]) for row in rows)
    print(f"\n{'':13} {'URL':{width}}  ANSWERS  LOGIN")
    for row in rows:
        print(f"{row['part']:13} {row['url']:{width}}  {row['answers']:7}  {row['login']}")


def next_steps(stack: str, seconds: float, live: bool) -> None:
    """Print what to do next, and how long it took."""
    containers = (
        "Containers run; which of them are the real programs and which stand in for them: docs/sandbox.md."
        if live
        else "Containers do not run on the sandbox, so a URL answers only while something else listens there."
    )
    print(
        f"""
Done in {seconds:.0f} s. {containers}

  eval "$(make env STACK={stack})"   a shell in which pulumi and kubectl speak to the sandbox
  pulumi preview --diff            what your change would do, object by object
  pulumi stack output grafanaUrl
  kubectl -n monitoring get all
  make demo FAULT=errors           an alert on its way from a failed request to the mail
  make preview STACK=prod          production, previewed on the sandbox
  make down                        remove all of it
"""
    )


def _answers(url: str) -> str:
    """Return yes or no. Only this machine is asked: an address in the cluster is nobody's here."""
    if urlsplit(url).hostname not in _LOCAL:
        return "-"
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # whether it answers, not whether it is trusted
    try:
        with urllib.request.urlopen(url, timeout=2, context=context):  # noqa: S310  the program's own URLs
            return "yes"
    except urllib.error.HTTPError:
        return "yes"
    except OSError:
        return "no"
