"""The drill: an alert for each route, what Alertmanager counts of it, and its end."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from operations.cluster import Unreadable
from operations.progress import waiting

from .replica import Count, Replica, counts, error, suppressed, told
from .result import Result, State
from .routes import GROUP, Integration, Route, routes

# What each replica has counted, by integration and receiver.
Counts = Sequence[Mapping[tuple[str, str], Count]]

# Replicas wait for one another so long before they send what the one before has not (--cluster.peer-timeout).
_PEER_SECONDS = 15
# Who refuses is asked again and again until the next message is due: so often is enough.
_REQUESTS = 3


@dataclass(frozen=True)
class _Way:
    """One way to the receiver of a route: an integration."""

    route: Route
    integration: Integration

    def counted(self, before: Counts, now: Counts) -> list[Count]:
        """Return what each replica has counted of it meanwhile."""
        return [self._of(after).since(self._of(first)) for first, after in zip(before, now, strict=True)]

    def _of(self, found: Mapping[tuple[str, str], Count]) -> Count:
        """Return what is counted of it, or of all receivers where they are not told apart."""
        name = self.integration.name
        return found.get((name, self.route.receiver)) or found.get((name, "")) or Count()

    def arrived(self, before: Counts, now: Counts) -> bool:
        return sum(one.arrived for one in self.counted(before, now)) >= self.integration.number

    def given_up(self, before: Counts, now: Counts) -> bool:
        return all(one.failed or one.failed_requests >= _REQUESTS for one in self.counted(before, now))


class Drill:
    """A drill on the Alertmanagers of a stack.

    Args:
        replicas: all that Prometheus sends to.
        stack: its name.
        cluster: the label `cluster` of its alerts.
        patience: the seconds that a message may take beyond what the routes wait.

    Raises:
        Unreadable: an Alertmanager cannot be asked for its routes.
    """

    def __init__(self, replicas: Sequence[Replica], stack: str, cluster: str, patience: float = 30) -> None:
        self._replicas, self._stack = replicas, stack
        self._patience, self._pause = patience, min(1, patience / 10)
        self.mark = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
        config = yaml.safe_load(json.loads(told(replicas[0], "/api/v2/status"))["config"]["original"])
        labels = {"alertname": "FireDrill", "cluster": cluster, GROUP: f"fire-drill-{self.mark}"}
        self._routes = routes(config, {**labels, "fire_drill": self.mark})
        self._sent: list[dict[str, Any]] = []

    @property
    def receivers(self) -> list[str]:
        """Return the names of the receivers at which alerts end."""
        return list(dict.fromkeys(route.receiver for route in self._routes))

    def run(self, chosen: Sequence[str]) -> list[Result]:
        """Send an alert to each receiver, see that it arrives, let it end, and see that this arrives too.

        Args:
            chosen: the receivers; without any, all but those that wake somebody.

        Raises:
            Unreadable: an Alertmanager cannot be asked; the alerts that it has end by themselves.
        """
        results: list[tuple[_Way | None, Result]] = []
        try:
            for route in self._routes:
                if chosen and route.receiver not in chosen:
                    continue
                if why := _left_out(route, chosen):
                    results.append((None, Result(route.receiver, "", State.LEFT_OUT, why)))
                else:
                    results += self._fire(route)
            before, ended = self._counts(), datetime.now(UTC)
        finally:
            self._end()
        open_ = self._until_told([way for way, one in results if way and one.state is State.TOLD], before)
        return [self._with_end(way, one, open_, ended) if way else one for way, one in results]

    def _fire(self, route: Route) -> Iterator[tuple[_Way, Result]]:
        """Send the alert of a route, and wait until each way has taken it, failed, or is known to be muted."""
        since, before = datetime.now(UTC), self._counts()
        ways = [_Way(route, one) for one in route.integrations]
        self._sent.append(self._alert(route))
        for replica in self._replicas:  # as Prometheus does
            told(replica, "/api/v2/alerts", json.dumps(self._sent[-1:]))
        began, now, muted = time.monotonic(), before, ""
        within = route.first + self._peers + self._patience
        with waiting(f"{route.receiver}, told after {route.first:g} s") as show:
            while time.monotonic() - began < within:
                time.sleep(self._pause)
                show("")
                now, muted = self._counts(), self._suppressed(route)
                if muted or all(one.arrived(before, now) or one.given_up(before, now) for one in ways):
                    break
        seconds = time.monotonic() - began
        for way in ways:
            name = way.integration.name
            if muted:
                yield way, Result(route.receiver, name, State.MUTED, f"{muted}; whether it works is not known")
            elif way.arrived(before, now):
                yield way, Result(route.receiver, name, State.TOLD, f"after {seconds:.0f} s")
            else:
                yield way, Result(route.receiver, name, State.FAILED, self._why(way, since))

    def _until_told(self, ways: Sequence[_Way], before: Counts) -> list[_Way]:
        """Wait until the ends of the alerts are told, and return the ways that did not tell them."""
        open_ = due = [one for one in ways if one.integration.send_resolved]
        if not due:
            return []
        within = max(one.route.following for one in due) + self._peers
        began = time.monotonic()
        with waiting(f"the ends, told within {within:g} s") as show:
            while open_ and time.monotonic() - began < within + self._patience:
                time.sleep(self._pause)
                show("")
                now = self._counts()
                open_ = [one for one in open_ if not _end_told(one, due, before, now)]
        return open_

    def _with_end(self, way: _Way, result: Result, open_: Sequence[_Way], since: datetime) -> Result:
        """Return a result with what came of the alert's end."""
        told_, by = result.detail, (result.receiver, result.integration)
        if result.state is not State.TOLD:
            return result
        if way in open_:
            return Result(*by, State.FAILED, f"told {told_}, but not that it is over: {self._why(way, since)}")
        if not way.integration.send_resolved:
            return Result(*by, State.TOLD, f"{told_}; not that it is over: send_resolved is off")
        return Result(*by, State.TOLD, f"{told_}, and that it is over")

    def _counts(self) -> Counts:
        return [counts(one) for one in self._replicas]

    def _suppressed(self, route: Route) -> str:
        found = (suppressed(one, self.mark, route.receiver) for one in self._replicas)
        return next(filter(None, found), "")

    def _why(self, way: _Way, since: datetime) -> str:
        """Return the errors of a way, each with the replicas that had it."""
        by_error: dict[str, list[str]] = {}
        for one in self._replicas:
            if text := error(one, way.route.receiver, way.integration.name, since):
                by_error.setdefault(text, []).append(one.name)
        return "; ".join(f"{', '.join(names)}: {text}" for text, names in by_error.items()) or "nothing was sent"

    @property
    def _peers(self) -> float:
        return _PEER_SECONDS * (len(self._replicas) - 1)

    def _alert(self, route: Route) -> dict[str, Any]:
        now = datetime.now(UTC)
        # Should nobody be there to end it: after the longest that all routes may take.
        latest = sum(one.first + self._peers + self._patience for one in self._routes) + 60
        return {
            "labels": dict(route.labels),
            "annotations": {
                "summary": "Fire drill: nothing is wrong",
                "description": f"Fire drill of stack {self._stack}: this arrived, and there is nothing to do.",
                "hour": f"{now:%Y-%m-%dT%H}:00:00.000Z",
            },
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(seconds=latest)).isoformat(),
        }

    def _end(self) -> None:
        """End every alert that was sent, wherever this can be told; elsewhere they end by themselves."""
        over = datetime.now(UTC).isoformat()
        alerts = [{**one, "endsAt": over} for one in self._sent]
        for replica in self._replicas if alerts else ():
            with contextlib.suppress(Unreadable):
                told(replica, "/api/v2/alerts", json.dumps(alerts))


def _left_out(route: Route, chosen: Sequence[str]) -> str:
    """Return why a route is not drilled, "" where it is."""
    unasked = ", ".join(one for one in route.others if chosen and one not in chosen)
    if not route.integrations:
        return "it has no way to tell anybody"
    if route.unreachable:
        return route.unreachable
    if route.pages and not chosen:
        return f"it wakes somebody: RECEIVER={route.receiver} drills it"
    return f"its alert also goes to {unasked}, which nobody asked for" if unasked else ""


def _end_told(way: _Way, due: Sequence[_Way], before: Counts, now: Counts) -> bool:
    """Return whether an end was told; where receivers are not told apart, whether all of them were."""
    name = way.integration.name
    if any((name, way.route.receiver) in one for one in now):
        return way.arrived(before, now)
    number = sum(one.integration.number for one in due if one.integration.name == name)
    return sum(one.arrived for one in way.counted(before, now)) >= number
