"""The rule that a container's program ends on SIGTERM.

The kernel gives pid 1 no default action: SIGTERM does nothing to a program without a handler of its own, and a kubelet
waits for the grace period to end, then kills. Shells, sleep, tail and Python have none.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from .images import IMAGES, repository
from .templates import Container, Object

# Programs that a container of ours starts, each with the test that starts it as pid 1 and sends it SIGTERM.
ENDING: Mapping[str, str] = {
    "python -m backup *": "tests/backup_agent/test_stopping.py",
    "python */set_up.py": "tests/backup_agent/test_stopping.py",
    "python */watch.py": "tests/backup_agent/test_stopping.py",
    'python -c """Wait until an Elasticsearch answers *': "tests/backup_agent/test_stopping.py",
}
_SHELLS = {"sh", "bash", "ash", "dash"}
# Each is an init of its own: it passes the signal on to what it starts, which is not pid 1.
_INITS = {"tini", "dumb-init", "catatonit"}


def why_not_ending(container: Container, pod: Object) -> str:
    """Return why SIGTERM would not end a container, in words; "" where it does, or where the image is not known."""
    # Where the node's processes or the pod's are seen, something else is pid 1.
    if not container.runs_on or pod.get("hostPID") or pod.get("shareProcessNamespace"):
        return ""
    command = [str(word) for word in container.spec.get("command") or []]
    arguments = [str(word) for word in container.spec.get("args") or []]
    if command:
        return _why_not([*command, *arguments])
    image = IMAGES.get(repository(container.spec.get("image") or ""))
    if image is None or image.entrypoint == "ends":
        return ""
    return _why_not(arguments) if arguments else "the image has no ENTRYPOINT, and the container no command"


def _why_not(words: Sequence[str]) -> str:
    program = PurePosixPath(words[0]).name
    if program in _INITS or any(fnmatchcase(" ".join([program, *words[1:]]), known) for known in ENDING):
        return ""
    if program in _SHELLS:
        return _of_a_shell(words)
    if program in ("sleep", "tail"):
        return f"pid 1 is {program}, which has no handler for SIGTERM"
    return f"pid 1 is `{shlex.join(words)}`, and no test is listed that starts it as pid 1 and ends it by SIGTERM"


def _of_a_shell(words: Sequence[str]) -> str:
    """Return why a shell does not end: it must trap the signal, or give its place to a program that does."""
    options = [index for index, word in enumerate(words) if re.fullmatch(r"-\w*c", word)]
    script = words[options[0] + 1] if options else ""
    if re.search(r"(^|[;&|\s])trap\s", script):
        return ""
    last = re.search(r"(?:^|[;&|\s])exec\s+([^;&|\n]+)\s*$", script)
    if last is None:
        return "pid 1 is a shell that has no trap for SIGTERM and does not end in exec"
    return _why_not(shlex.split(last[1]))
