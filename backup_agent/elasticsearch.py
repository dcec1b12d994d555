"""Elasticsearch saves itself: its snapshot lifecycle management (SLM) is set up, watched and told to start."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from . import BackupError
from .snapshot import Snapshot
from .web import Web

_REPOSITORY, _OTHER = "backup", "other"
_RECENT, _DAILY = "recent", "daily"
_RESTORED = "restored-"
_BEGIN_SECONDS, _WAIT_SECONDS, _PAUSE = 60.0, 3600.0, 2.0

_INVOCATION = {"snapshot_name": str, "time": float, "details?": str}
_POLICY = {_RECENT: {"last_success?": _INVOCATION, "last_failure?": _INVOCATION}}
_SNAPSHOTS = {
    "snapshots": [
        {
            "snapshot": str,
            "state": str,
            "start_time_in_millis": float,
            "indices": [str],
            "index_details?": {str: {"size_in_bytes": float}},
        }
    ]
}
_HEALTH = {"indices": {str: {"active_primary_shards": int, "number_of_shards": int}}}


class Elasticsearch:
    """A cluster whose indices of the name `pattern` are saved each `interval` seconds.

    With `rename`, a restored index gets another name: there is one of its own under the old name on every new cluster.
    With `other_bucket`, snapshots are those of another stack, and can only be restored.
    """

    def __init__(
        self,
        name: str,
        cluster: Web,
        pattern: str,
        interval: float,
        rename: bool,
        other_bucket: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.part, self.objective = name, 2 * interval
        self._cluster, self._pattern, self._interval, self._rename = cluster, pattern, interval, rename
        self._sleep, self._repository = sleep, _OTHER if other_bucket else _REPOSITORY
        if other_bucket:
            self._register(_OTHER, {"bucket": other_bucket, "base_path": name, "readonly": True})

    def set_up(self, bucket: str, days: int) -> Iterator[str]:
        """Register the bucket, which every node tries at once, and put the policies; run again, it changes nothing."""
        self._register(_REPOSITORY, {"bucket": bucket, "base_path": self.part})
        yield f"repository {_REPOSITORY}: s3://{bucket}/{self.part} can be written to by every node"
        hours = round(self._interval / 3600)
        often = "0 0 0 * * ?" if hours == 24 else f"0 0 0/{hours} * * ?"
        for policy, schedule, kept in ((_RECENT, often, "1d"), (_DAILY, "0 30 1 * * ?", f"{days}d")):
            self._cluster.call(
                "PUT",
                f"/_slm/policy/{policy}",
                {
                    "schedule": schedule,
                    "name": f"<{policy}-{{now/s{{yyyy.MM.dd-HH.mm}}}}>",
                    "repository": _REPOSITORY,
                    "config": {"indices": [self._pattern], "include_global_state": False},
                    "retention": {"expire_after": kept, "min_count": 1},
                },
            )
            yield f"policy {policy}: {self._pattern} at {schedule}, kept for {kept}"

    def scheduled(self) -> Snapshot:
        """Return the last snapshot that succeeded.

        Raises:
            BackupError: the last one failed, or there is none yet.
        """
        policy = self._cluster.call("GET", f"/_slm/policy/{_RECENT}", shape=_POLICY)[_RECENT]
        success, failure = policy.get("last_success") or {}, policy.get("last_failure") or {}
        if failure.get("time", 0) > success.get("time", 0):
            raise BackupError(f"snapshot {failure['snapshot_name']} failed: {failure.get('details')}")
        if not success:
            raise BackupError("Elasticsearch has made no snapshot yet")
        return self._snapshot(success["snapshot_name"])

    def save(self) -> Snapshot:
        """Let Elasticsearch make a snapshot now, and wait for it."""
        answer = self._cluster.call("PUT", f"/_slm/policy/{_RECENT}/_execute", shape={"snapshot_name": str})
        name = answer["snapshot_name"]
        # It is ordered when Elasticsearch answers, and listed once it has begun.
        begun = f"snapshot {name} begun"
        self._until(lambda: bool(self._listed(name, "&ignore_unavailable=true")), begun, _BEGIN_SECONDS)
        self._until(lambda: self._found(name)["state"] != "IN_PROGRESS", f"snapshot {name} done")
        return self._snapshot(name)

    def check(self) -> None:
        """Let every node prove that it reaches the repository."""
        self._cluster.call("POST", f"/_snapshot/{_REPOSITORY}/_verify")

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots that succeeded, the oldest first."""
        good = (_read(each) for each in self._listed("_all") if each["state"] == "SUCCESS")
        return sorted(good, key=lambda snapshot: snapshot.made)

    def restore(self, snapshot: Snapshot, overwrite: bool) -> Iterator[str]:
        """Restore the indices of a snapshot; those that are there are left, unless `overwrite` is True."""
        saved = self._found(snapshot.id)["indices"]
        path = f"/_cat/indices/{self._pattern}?format=json&expand_wildcards=all"
        live = self._cluster.call("GET", path, shape=[{"index": str}])
        names = {index: self._renamed(index) for index in saved}
        in_the_way = {each["index"] for each in live} & set(names.values())
        left = set() if overwrite else in_the_way
        for index in sorted(left):
            yield f"is there, left as it is: {index}"
        wanted = sorted(index for index, name in names.items() if name not in left)
        if not wanted:
            return
        for index in sorted(in_the_way - left):
            self._cluster.call("POST", f"/{index}/_close")
        self._cluster.call("POST", f"/_snapshot/{self._repository}/{snapshot.id}/_restore", self._request(wanted))
        self._until(lambda: self._whole([names[index] for index in wanted]), "the restored indices whole")
        for index in wanted:
            yield f"restored {index}" + (f" as {names[index]}" if names[index] != index else "")

    def _register(self, repository: str, settings: dict[str, Any]) -> None:
        self._cluster.call("PUT", f"/_snapshot/{repository}", {"type": "s3", "settings": settings})

    def _renamed(self, index: str) -> str:
        prefix = self._pattern.removesuffix("*")
        return f"{prefix}{_RESTORED}{index.removeprefix(prefix)}" if self._rename else index

    def _request(self, indices: list[str]) -> dict[str, Any]:
        request: dict[str, Any] = {"indices": ",".join(indices), "include_global_state": False}
        if self._rename:
            prefix = self._pattern.removesuffix("*")
            request |= {
                "rename_pattern": f"{prefix}(.+)",
                "rename_replacement": f"{prefix}{_RESTORED}$1",
                # The write alias is the live index's; no rollover waits for what is written to no more.
                "include_aliases": False,
                "index_settings": {"index.lifecycle.indexing_complete": True},
            }
        return request

    def _whole(self, indices: list[str]) -> bool:
        """Return whether every shard of the indices is there once."""
        # Not by the colour: an index is yellow already while its shards come out of a snapshot.
        path = f"/_cluster/health/{','.join(indices)}?level=indices"
        health = self._cluster.call("GET", path, shape=_HEALTH)["indices"]
        return all(
            index in health and health[index]["active_primary_shards"] == health[index]["number_of_shards"]
            for index in indices
        )

    def _until(self, done: Callable[[], bool], what: str, seconds: float = _WAIT_SECONDS) -> None:
        for _ in range(round(seconds / _PAUSE)):
            if done():
                return
            self._sleep(_PAUSE)
        raise BackupError(f"{what}: not after {seconds:.0f} s")

    def _found(self, name: str) -> dict[str, Any]:
        for found in self._listed(name):
            return found
        raise BackupError(f"Elasticsearch lists no snapshot {name}")

    def _listed(self, names: str, options: str = "") -> list[dict[str, Any]]:
        path = f"/_snapshot/{self._repository}/{names}?index_details=true{options}"
        found: list[dict[str, Any]] = self._cluster.call("GET", path, shape=_SNAPSHOTS)["snapshots"]
        return found

    def _snapshot(self, name: str) -> Snapshot:
        found = self._found(name)
        if found["state"] != "SUCCESS":
            raise BackupError(
                f"snapshot {name} ended as {found['state']}: {found.get('failures') or found.get('reason')}"
            )
        return _read(found)


def _read(found: dict[str, Any]) -> Snapshot:
    """Return a snapshot as Elasticsearch describes it; what was written before it began is in it."""
    size = sum(details["size_in_bytes"] for details in (found.get("index_details") or {}).values())
    began = found["start_time_in_millis"] / 1000
    return Snapshot(found["snapshot"], began, began, size, ", ".join(sorted(found["indices"])))
