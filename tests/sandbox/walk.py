"""A walk over the settings of a stack: up, changed, interrupted, repaired, set back, destroyed.

Its seed says which settings, and what interrupts which update after how long. Whatever it meets, each update ends with
what the program says, or with a refusal before anything has changed.
"""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from sandbox import cluster, operators, processes
from sandbox.stacks import laid_over
from tests.sandbox.conftest import Api, Project
from tests.sandbox.killing import STACK, begin, crash, kill
from tests.sandbox.leftovers import left
from tests.sandbox.local.test_drift import drift

Settings = Mapping[str, dict[str, object]]

CHANGES = 3
# How long an update may take until something interrupts it, and how long the API server may be away.
_UP, _CHANGE, _DESTROY, _GROW, _AWAY = 60, 30, 30, 10, 30
_END_SECONDS = 400

# A Release that waits for something which never comes is given up soon.
_OWN: Settings = {"charts": {"timeoutSeconds": 60}}

# Without Alertmanager's replicas, after which Helm leaves its Service without a port: docs/changes.md.
IN_PLACE: list[Settings] = [
    {"alertmanager": {"heartbeat": False}},
    {"alerts": {"rules": {"HighErrorRate": {"for": "7m"}, "NginxDown": {"enabled": False}}}},
    {"application": {"sentry": {"environment": "elsewhere", "tracesSampleRate": 0.5}}},
    {"cluster": {"name": "mangakai-elsewhere"}},
    {"exposure": {"authentication": True}},
    {"exposure": {"jaeger": False}},
    {"exposure": {"loadBalancer": "nodePort", "nodeAddress": "localhost"}},
    {"grafana": {"resources": {"requests": {"cpu": "60m", "memory": "300Mi"}}}},
    {"logs": {"kibana": {"replicas": 2}, "retentionDays": 3}},
    {"logs": {"logstash": {"replicas": 2}}},
    {"prometheus": {"replicas": 2}},
    {"prometheus": {"retention": "3d"}},
    {"storage": {"keepData": True}},
    {"traces": {"collector": {"replicas": 2}, "query": {"replicas": 2}, "retentionDays": 2}},
]
# A volume stays as large as it was made.
LARGER: list[Settings] = [
    {"alertmanager": {"storage": "2Gi"}},
    {"grafana": {"storage": "2Gi"}, "prometheus": {"storage": "6Gi"}},
    {"logs": {"elasticsearch": {"storage": "6Gi"}}},
]
REFUSED: list[Settings] = [
    {"alertmanager": {"storage": "512Mi"}},
    {"exposure": {"loadBalancer": "aws"}},
    {"prometheus": {"storage": "7Gi"}},
    {"storage": {"storageClass": "of-nobody"}},
    {"traces": {"elasticsearch": {"storage": "4Gi"}}},
]
INTERRUPTIONS = ["nothing", "SIGINT", "the engine killed", "engine and provider killed", "the API server away"]


class Walk:
    """A walk of a stack that is not up; what it does is printed as it does it.

    Args:
        project: on its sandbox.
        api: of the sandbox.
        seed: says where it leads.
    """

    def __init__(self, project: Project, api: Api, seed: int) -> None:
        self._project, self._api = project, api
        self._random = random.Random(seed)  # noqa: S311
        self._began = time.monotonic()
        self._lasting: Settings = _OWN
        self._claims: dict[str, str] = {}
        self._say(f"seed {seed}")

    def go(self) -> None:
        """Walk from the first update to the end of the stack."""
        self._update("up", {}, _UP)
        for _ in range(CHANGES):
            match self._random.choice(["in place", "in place", "larger", "refused"]):
                case "in place":
                    self._update("change", self._random.choice(IN_PLACE), _CHANGE)
                case "larger":
                    self._grow(self._random.choice(LARGER))
                case "refused":
                    self._is_refused(self._random.choice(REFUSED))
        self._update("back", {}, _CHANGE)
        self._destroy()

    def _update(self, what: str, settings: Settings, seconds: float) -> None:
        self._prepare(settings)
        how = self._interrupted(f"{what} {dict(settings)}", seconds, "up", "--yes", "--skip-preview")
        # Whoever interrupts an update by hand needs no repair.
        if how != "SIGINT":
            self._repair()
        self._say(f"up: {self._project.up(STACK)}")
        self._is_what_the_program_says()

    def _grow(self, settings: Settings) -> None:
        self._lasting = laid_over(self._lasting, settings)
        self._prepare({})
        command = [sys.executable, "-m", "operations.grow", "--stack", STACK]
        variables = self._project.environment(STACK)
        process = subprocess.Popen(
            command, cwd=self._project.folder, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        after = self._random.uniform(0, _GROW)
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
        self._say(f"grow {dict(settings)}, after {after:.1f} s: {process.wait()}")
        done = subprocess.run(
            command, cwd=self._project.folder, env=variables, capture_output=True, text=True, check=False
        )
        self._say(done.stdout.strip())
        assert done.returncode == 0, done.stderr
        self._update("larger", {}, _CHANGE)

    def _is_refused(self, settings: Settings) -> None:
        before = self._inputs()
        self._prepare(settings)
        done = self._project.pulumi(STACK, "up", "--yes", "--skip-preview")
        self._say(f"refuse {dict(settings)}: {done.returncode}")
        assert done.returncode != 0
        assert "(nothing was registered):" in done.stdout, done.stdout
        assert self._inputs() == before
        self._prepare({})
        self._is_what_the_program_says()

    def _destroy(self) -> None:
        if self._interrupted("destroy", _DESTROY, "destroy", "--yes", "--skip-preview") != "SIGINT":
            self._repair()
        self._say(f"destroy: {self._project.destroy(STACK)}")
        assert self._project.state(STACK) == []
        assert not any(left(self._api).values()), left(self._api)

    def _prepare(self, settings: Settings) -> None:
        self._project.prepare(STACK, **laid_over(self._lasting, settings))

    def _interrupted(self, what: str, seconds: float, *arguments: str) -> str:
        """Begin something, interrupt it or not, and return how."""
        how, after = self._random.choice(INTERRUPTIONS), self._random.uniform(0, seconds)
        away = self._random.uniform(1, _AWAY)
        self._say(f"{what}, after {after:.1f} s: {how}")
        process = begin(self._project, *arguments)
        try:
            process.wait(_END_SECONDS if how == "nothing" else after)
        except subprocess.TimeoutExpired:
            assert how != "nothing", f"it does not end within {_END_SECONDS} s"
            match how:
                case "SIGINT":
                    process.send_signal(signal.SIGINT)
                case "the engine killed":
                    kill(process)
                case "engine and provider killed":
                    crash(process, self._project)
                case "the API server away":
                    processes.stop(self._project.sandbox, "kube-apiserver")
                    time.sleep(away)
                    cluster.start(self._project.sandbox)
                    operators.start(self._project.sandbox)
        else:
            self._say("it had ended")
        status = process.wait(_END_SECONDS)
        self._say(f"status {status}")
        assert status == 0 or how != "nothing"
        return how

    def _repair(self) -> None:
        for line in self._project.repair(STACK):
            self._say(f"repair: {line}")

    def _is_what_the_program_says(self) -> None:
        """The program has nothing to change, nothing drifts, nothing is to be repaired, and each volume is there."""
        assert self._project.previewed(STACK) == []
        said = drift(self._project)
        assert said.status == 0, said.text + said.errors
        assert self._project.repair(STACK) == []
        claims = self._api.claims()
        assert {name: claims.get(name) for name in self._claims} == self._claims
        self._claims = claims

    def _inputs(self) -> dict[str, object]:
        """Return what was asked for of each resource, by URN."""
        return {one["urn"]: one.get("inputs") for one in self._project.state(STACK) if one.get("custom")}

    def _say(self, line: str) -> None:
        print(f"{time.monotonic() - self._began:6.0f} s  {line}", flush=True)
