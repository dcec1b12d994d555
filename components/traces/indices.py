"""How the spans lie in Elasticsearch: an index a day, the same whichever version of Jaeger writes it."""

# Jaeger puts `-jaeger-span-` and the day behind it.
PREFIX = "mangakai"
# Of an index that holds one day: Jaeger's default of five is meant for far more spans.
SHARDS = 1
# Jaeger names each day's index in the URL of one request, of which Elasticsearch reads 4096 bytes.
_NAMED_DAYS = 100


def replicas(nodes: int) -> int:
    """Return how many copies a shard has beside itself, for which there have to be `nodes`."""
    return 1 if nodes > 1 else 0


def looked_back(retention_days: int) -> str:
    """Return how far back services, and a trace by its id, are looked for, as a duration of Go.

    Args:
        retention_days: for how many days spans are kept.
    """
    return f"{min(retention_days, _NAMED_DAYS) * 24}h"
