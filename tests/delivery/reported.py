"""What Logstash posts to Alertmanager about an error: the mapping in errors.conf, filled in as Logstash fills it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from logstash_pipeline_parser import Pipeline

from tests.offline import ROOT

ERRORS: Path = ROOT / "components" / "logs" / "pipelines" / "errors.conf"


def alert(fields: Mapping[str, str], cluster: str) -> dict[str, Any]:
    """Return the alert about one event.

    Args:
        fields: of the event, by their names in the pipeline such as `[log][logger]`.
        cluster: what the environment has as CLUSTER.
    """
    (output,) = (plugins for section, plugins in Pipeline(ERRORS.read_text()).parse() if section == "output")
    ((plugin, options),) = output
    assert plugin == "http"
    (mapping,) = (value for name, (value,) in options if name == "mapping")

    def filled(text: str) -> str:
        text = text.replace("${CLUSTER}", cluster)
        return re.sub(r"%\{([^}]*)\}", lambda found: fields[found[1]], text)

    return {part: {name: filled(text) for name, (text,) in pairs} for part, (pairs,) in mapping}
