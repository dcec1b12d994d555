"""An older Pulumi is refused in one sentence, and every place says the same which one is too old."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc  # type: ignore[import-untyped]
import pulumi
import pytest
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from components.foundation.engine import LEAST, require_engine
from sandbox.program_pins import MINIMUM_PULUMI
from tests.offline import ROOT

SENTENCE = r"Pulumi 3\.244 or newer is needed, and this one is older: https://\S+"


class Engine(engine_pb2_grpc.EngineServicer):
    """An engine that has the call, with its answer."""

    def __init__(self, refuses: bool) -> None:
        self.refuses, self.asked = refuses, ""

    def RequirePulumiVersion(self, request: Any, context: Any) -> engine_pb2.RequirePulumiVersionResponse:  # noqa: N802
        self.asked = request.pulumi_version_range
        if self.refuses:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "CLI version 3.230.0 does not satisfy the range")
        return engine_pb2.RequirePulumiVersionResponse()


@pytest.fixture
def servicer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The engine of the program."""
    server = grpc.server(ThreadPoolExecutor(1))
    engine_pb2_grpc.add_EngineServicer_to_server(request.param, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        monkeypatch.setattr("pulumi.runtime.settings.get_engine", lambda: engine_pb2_grpc.EngineStub(channel))
        yield request.param
    server.stop(None).wait()


@pytest.mark.parametrize(
    "servicer",
    [Engine(refuses=True), engine_pb2_grpc.EngineServicer()],
    indirect=True,
    ids=["too old", "too old to be asked"],
)
@pytest.mark.usefixtures("servicer")
def test_an_older_engine_is_refused_in_one_sentence() -> None:
    with pytest.raises(pulumi.RunError) as refused:
        require_engine()
    assert re.fullmatch(SENTENCE, str(refused.value))


@pytest.mark.parametrize("servicer", [Engine(refuses=False)], indirect=True)
def test_another_one_is_taken(servicer: Engine) -> None:
    require_engine()
    assert servicer.asked == ">=3.244.0"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("Pulumi.yaml", r'^requiredPulumiVersion: ">=(.+)\.0"$'),
        ("pyproject.toml", r'^    "pulumi>=(.+),<4",$'),
        ("README.md", r"\[Pulumi\]\(\S+\) (\S+) or newer"),
        ("README.zh-CN.md", r"需要 Pulumi (\S+) 或更高版本"),
        ("docs/versions.md", r"^\| Pulumi \| (\S+) or newer \|"),
    ],
)
def test_each_place_names_the_same(file: str, words: str) -> None:
    (found,) = re.findall(words, (ROOT / file).read_text(), flags=re.MULTILINE)
    assert found == LEAST


def test_the_sandbox_takes_no_older_one_either() -> None:
    assert MINIMUM_PULUMI == (3, 244)


def test_it_is_asked_for_before_anything_else() -> None:
    program = (ROOT / "__main__.py").read_text().splitlines()
    first = next(line for line in program if re.match(r"\w.*\(", line) and not line.startswith("from "))
    assert first == "require_engine()"
