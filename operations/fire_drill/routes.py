"""Alertmanager's routes: which labels an alert must have to take each of them, and how long it waits there."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_OPERATOR = re.compile(r"(=~|!~|!=|=)")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
# What Alertmanager takes where the route at the root names none.
_DEFAULTS = {"group_wait": "30s", "group_interval": "5m"}
# By which our routes group, and which inhibition compares.
GROUP = "service"


@dataclass(frozen=True)
class Integration:
    """A way by which a receiver is told: its name in Alertmanager's metrics, how many of it, and whether ends are."""

    name: str
    number: int
    send_resolved: bool


@dataclass(frozen=True)
class Route:
    """A route at whose receiver an alert can end.

    Args:
        receiver: its name.
        integrations: of the receiver.
        labels: what an alert must have to come here.
        unreachable: why no alert of these labels does, "" where one does.
        first: the seconds until the first message about a new alert.
        following: the seconds until the next one of its group.
        others: further receivers that such an alert reaches.
    """

    receiver: str
    integrations: tuple[Integration, ...]
    labels: Mapping[str, str]
    unreachable: str
    first: float
    following: float
    others: tuple[str, ...] = ()

    @property
    def pages(self) -> bool:
        """Return whether its alerts wake somebody."""
        return self.labels.get("severity") == "critical"


@dataclass(frozen=True)
class _Node:
    matchers: tuple[tuple[str, str, str], ...]
    goes_on: bool
    options: Mapping[str, Any]
    children: tuple["_Node", ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(_holds(labels.get(name, ""), operator, value) for name, operator, value in self.matchers)

    def ends(self, labels: Mapping[str, str]) -> list["_Node"]:
        """Return where an alert ends: at the first child that takes it, or here (dispatch.Route.Match)."""
        if not self.matches(labels):
            return []
        found = []
        for child in self.children:
            ends = child.ends(labels)
            found += ends
            if ends and not child.goes_on:
                break
        return found or [self]


def routes(config: Mapping[str, Any], common: Mapping[str, str]) -> list[Route]:
    """Return the routes that end at a receiver, as Alertmanager goes through them, the one at the root last.

    Args:
        config: alertmanager.yml, as Alertmanager shows it: with all defaults of its receivers.
        common: labels that an alert has wherever no route asks for others; `service` is the beginning of its own.
    """
    root = _node(config["route"], _DEFAULTS)
    receivers = {one["name"]: tuple(_integrations(one)) for one in config["receivers"]}
    return [_route(root, path, receivers, common) for path in _paths(root, ())]


def _node(text: Mapping[str, Any], inherited: Mapping[str, Any]) -> _Node:
    own = {key: text[key] for key in ("receiver", "group_by", "group_wait", "group_interval") if key in text}
    options = {**inherited, **own}
    matchers = tuple(_matcher(one) for one in text.get("matchers") or [])
    children = tuple(_node(child, options) for child in text.get("routes") or [])
    return _Node(matchers, bool(text.get("continue")), options, children)


def _paths(node: _Node, above: tuple[_Node, ...]) -> Iterator[tuple[_Node, ...]]:
    for child in node.children:
        yield from _paths(child, (*above, node))
    yield (*above, node)


def _route(
    root: _Node, path: tuple[_Node, ...], receivers: Mapping[str, tuple[Integration, ...]], common: Mapping[str, str]
) -> Route:
    asked = {name: _example(op, value) for node in path for name, op, value in node.matchers if op in ("=", "=~")}
    node = path[-1]
    # A group of its own for each receiver; and no alert of a drill inhibits another.
    own = {GROUP: f"{common[GROUP]}-{node.options['receiver']}"}
    labels = {**common, **own, **asked}
    ends = root.ends(labels)
    receiver, grouped = node.options["receiver"], node.options.get("group_by") or []
    # Where its group may be another alert's as well, that one's messages set the time.
    alone = "..." in grouped or (GROUP in grouped and GROUP not in asked)
    following = seconds(node.options["group_interval"])
    first = seconds(node.options["group_wait"])
    before = ", ".join(end.options["receiver"] for end in ends)
    return Route(
        receiver=receiver,
        integrations=receivers[receiver],
        labels=labels,
        unreachable="" if node in ends else f"an alert for it ends at {before or 'none'}",
        first=first if alone else max(first, following),
        following=following,
        others=tuple(end.options["receiver"] for end in ends if end is not node),
    )


def _matcher(text: str) -> tuple[str, str, str]:
    name, operator, value = (part.strip() for part in _OPERATOR.split(text, maxsplit=1))
    return name.strip('"'), operator, json.loads(value) if value.startswith('"') else value


def _example(operator: str, value: str) -> str:
    """Return a value that a matcher takes, where one is to be found: of a regular expression, its first alternative."""
    return value if operator == "=" else value.strip("^$()").split("|")[0]


def _holds(found: str, operator: str, value: str) -> bool:
    equal = found == value if operator in ("=", "!=") else re.fullmatch(value, found) is not None
    return equal is (operator in ("=", "=~"))


def _integrations(receiver: Mapping[str, Any]) -> Iterator[Integration]:
    for key, configs in receiver.items():
        if key.endswith("_configs") and configs:
            resolved = any(one.get("send_resolved") for one in configs)
            yield Integration(key.removesuffix("_configs"), len(configs), resolved)


def seconds(duration: str) -> float:
    """Return a Prometheus duration such as 1m30s in seconds."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration))
