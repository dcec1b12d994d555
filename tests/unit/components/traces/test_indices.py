"""How many days and shards Jaeger's indices may have, for each retention and size that the settings allow."""

import pytest
from pydantic import ValidationError

from components.settings.traces import TracesSettings
from components.traces import indices

# Elasticsearch's defaults: cluster.max_shards_per_node, http.max_initial_line_length.
SHARDS_PER_NODE, URL_BYTES = 1000, 4096
# What Elastic's own plugins, the operator and the backups keep there.
OTHERS = 50
SPANS_AND_SERVICES = 2


def allowed_retention() -> list[int]:
    """Return the days that the setting takes, and check that it takes none beyond."""
    days = list(range(1, 366))
    for wrong in (days[0] - 1, days[-1] + 1):
        with pytest.raises(ValidationError):
            TracesSettings.model_validate({"retentionDays": wrong})
    return days


@pytest.mark.parametrize("nodes", [1, 3, 5, 7, 9])
def test_the_indices_of_every_retention_fit_into_the_smallest_cluster(nodes: int) -> None:
    most = max(allowed_retention()) + 1  # the day that begins, before the cleaner comes
    shards = most * SPANS_AND_SERVICES * indices.SHARDS * (1 + indices.replicas(nodes))
    print(f"\n{shards} shards on {nodes} nodes")
    assert shards + OTHERS <= SHARDS_PER_NODE * nodes


def test_every_kept_trace_is_looked_for_as_far_as_a_request_can_name_its_days() -> None:
    assert indices.looked_back(7) == "168h"
    for retention in allowed_retention():
        hours = int(indices.looked_back(retention).removesuffix("h"))
        days = hours // 24 + 1
        # Commas are escaped.
        named = "%2C".join([f"{indices.PREFIX}-jaeger-service-2026-01-01"] * days)
        request = f"POST /{named}/_search?ignore_unavailable=true&rest_total_hits_as_int=true HTTP/1.1\r\n"
        assert len(request) <= URL_BYTES
        assert hours == retention * 24 or len(request) > URL_BYTES * 0.9, "less than could be"
