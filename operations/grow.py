"""Make the volumes of a stack as large as its settings say, while they are in use: `make grow STACK=…`.

Each claim is told its new size and waited for. Then its StatefulSet is made anew around the pods, which go on: the
claims in one that is there cannot change. Elastic's operator does the same by itself, in a `pulumi up`. What is done
already is not done again: after an interruption, start it once more.

Exit statuses: 0 all volumes are as large as they should be, 3 a volume is not larger yet, 1 the cluster refuses or
cannot be asked, 2 wrong settings or usage.
"""

import argparse
import copy
import http.client
import json
import re
import sys
import time

from components.foundation.names import MONITORING
from components.foundation.ownership import OWNER, owner
from components.foundation.volumes import Volumes, claimed, volumes
from components.settings import Settings, SettingsError
from components.settings.types import to_bytes
from operations.cluster import Cluster, Object, Unreadable
from operations.progress import waiting
from operations.stack import read

LATE = 3
_GONE_SECONDS = 60  # until a StatefulSet is removed, its pods kept
_TIMEOUT = 30.0  # seconds that an answer may take
_CORE, _APPS = f"/api/v1/namespaces/{MONITORING}", f"/apis/apps/v1/namespaces/{MONITORING}"
_CLAIMS = f"{_CORE}/persistentvolumeclaims"


class GrowError(Exception):
    """A volume cannot be made larger; the message says why, and what to do."""


class NotYetError(GrowError):
    """A volume is not larger in time."""


class _Server(Cluster):
    """The API server, which is told what to change in JSON: the client's own objects take no field of tomorrow."""

    def tell(self, method: str, path: str, body: Object | None = None, *besides: int) -> Object | None:
        """Return what the server answers, or None where its status is one of `besides`."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        status, text = self.answer(method, path, {"Accept": "application/json", "Content-Type": kind}, body=body)
        if status in besides:
            return None
        try:
            answer = dict(json.loads(text))
        except ValueError as error:
            raise GrowError(f"the cluster cannot be asked: {status}, and no JSON") from error
        if status >= http.client.BAD_REQUEST:
            raise GrowError(f"the cluster refuses: {answer.get('message')}")
        return answer


def grow(settings: Settings, stack: str) -> list[str]:
    """Make the volumes larger, and return a line for each StatefulSet whose volumes were too small, or that is gone.

    Args:
        settings: of the stack.
        stack: its name.

    Raises:
        NotYetError: a claim was told, and has not grown in the time that a Release has.
        GrowError: the namespace is of another stack, a StorageClass lets no volume grow, or the cluster refuses.
        Unreadable: the cluster cannot be asked.
    """
    server = _Server(settings.cluster.context, _TIMEOUT)
    annotations = server.get(_CORE)["metadata"].get("annotations") or {}
    if (named := annotations.get(OWNER, owner(stack))) != owner(stack):
        raise GrowError(f"namespace {MONITORING} is of stack {named}, and this is {owner(stack)}")
    done = []
    for each in volumes(settings):
        if each.operated:
            continue
        found = server.tell("GET", _path(each), None, http.client.NOT_FOUND)
        if not found:
            done.append(
                f"{each.setting}: there is no StatefulSet {each.stateful_set}; where make grow was interrupted, "
                f"pulumi up makes it around the pods, with volumes of {each.size}"
            )
        elif to_bytes(claimed(found)[0]) < to_bytes(each.size):
            _see_that_it_may_grow(server, each, found)
            _grow_claims(server, each, found, settings.charts.timeout_seconds)
            _make_anew(server, each, found)
            done.append(f"{each.setting}: the volumes of {each.stateful_set} have {each.size} now")
    return done


def _path(wanted: Volumes) -> str:
    return f"{_APPS}/statefulsets/{wanted.stateful_set}"


def _see_that_it_may_grow(server: _Server, wanted: Volumes, stateful_set: Object) -> None:
    _, name = claimed(stateful_set)
    if not server.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}").get("allowVolumeExpansion"):
        raise GrowError(f"{wanted.setting}: StorageClass {name!r} lets no volume grow (allowVolumeExpansion)")


def _grow_claims(server: _Server, wanted: Volumes, stateful_set: Object, seconds: float) -> None:
    (template,) = stateful_set["spec"]["volumeClaimTemplates"]
    pattern = re.compile(rf"{re.escape(template['metadata']['name'])}-{re.escape(wanted.stateful_set)}-\d+")

    def claims() -> list[Object]:
        return [one for one in server.get(_CLAIMS)["items"] if pattern.fullmatch(one["metadata"]["name"])]

    for claim in claims():
        if to_bytes(claim["spec"]["resources"]["requests"]["storage"]) < to_bytes(wanted.size):
            larger = {"spec": {"resources": {"requests": {"storage": wanted.size}}}}
            server.tell("PATCH", f"{_CLAIMS}/{claim['metadata']['name']}", larger)
    with waiting(f"Growing the volumes of {wanted.stateful_set} to {wanted.size}") as show:
        end = time.monotonic() + seconds
        while late := [claim["metadata"]["name"] for claim in claims() if _has(claim) < to_bytes(wanted.size)]:
            if time.monotonic() > end:
                raise NotYetError(
                    f"{', '.join(late)}: not of {wanted.size} after {seconds:.0f} s. "
                    f"Why: kubectl -n {MONITORING} describe pvc {late[0]}. Then once more: make grow"
                )
            show("")
            time.sleep(1)


def _has(claim: Object) -> float:
    return to_bytes(claim["status"].get("capacity", {}).get("storage", "0"))


def _make_anew(server: _Server, wanted: Volumes, stateful_set: Object) -> None:
    """Make a StatefulSet anew around its pods, with a larger claim in it and everything else as it was."""
    metadata, spec = stateful_set["metadata"], copy.deepcopy(stateful_set["spec"])
    spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = wanted.size
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations") if key in metadata}
    anew = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": kept, "spec": spec}
    with waiting(f"Making StatefulSet {wanted.stateful_set} anew around its pods") as show:
        around = {"propagationPolicy": "Orphan", "preconditions": {"uid": metadata["uid"]}}
        server.tell("DELETE", _path(wanted), around)
        end = time.monotonic() + _GONE_SECONDS
        while not server.tell("POST", f"{_APPS}/statefulsets", anew, http.client.CONFLICT):
            if time.monotonic() > end:
                raise GrowError(f"StatefulSet {wanted.stateful_set} is not removed after {_GONE_SECONDS} s")
            show("")
            time.sleep(0.5)


def main() -> int:
    """Grow the volumes of one stack. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="make grow", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", required=True, help="whose volumes; the kubeconfig must lead to its cluster")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    arguments = parser.parse_args()
    try:
        done = grow(read(arguments.stack), arguments.stack)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except Unreadable as error:
        print(f"grow: {error}: {error.remedy}", file=sys.stderr)
        return 1
    except GrowError as error:
        print(f"grow: {error}", file=sys.stderr)
        return LATE if isinstance(error, NotYetError) else 1
    if arguments.json:
        print(json.dumps({"stack": arguments.stack, "done": done}, indent=2))
    else:
        lines = done or [f"no volume of stack {arguments.stack} is smaller than it should be"]
        print("\n".join([*lines, f"Now: pulumi up --stack {arguments.stack}"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
