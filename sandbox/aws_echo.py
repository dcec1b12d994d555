"""The sandbox's AWS: a Pulumi provider that keeps nothing and creates nothing.

It answers with the inputs, made-up ids and ARNs, so that the real engine can preview and bring up the stacks of staging
and prod where there is no account.
"""
# ruff: noqa: ARG002, N802 the names and the parameters are those of the engine's calls

import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2, struct_pb2  # type: ignore[import-untyped]
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

from operations.aws_outputs import Properties, made_up_id, outputs

NOTICE = (
    "this is the sandbox's echo of AWS, not AWS: it answers with the inputs and made-up ids, and creates nothing. "
    "Only a real `pulumi up` against an account shows whether AWS accepts them"
)


def changed(old: Properties, new: Properties, ignored: list[str]) -> list[str]:
    """Return the names of the inputs that differ."""
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name) and name not in ignored)


def _properties(message: struct_pb2.Struct) -> Properties:
    return {name: value for name, value in MessageToDict(message).items() if not name.startswith("__")}


def _struct(properties: Properties) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(properties)
    return message


class Echo(provider_pb2_grpc.ResourceProviderServicer):
    """The calls of the engine; those that are not here answer that they are not implemented."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.config: Properties = {}

    def GetPluginInfo(self, request: object, context: object) -> plugin_pb2.PluginInfo:
        """Return the version of the SDK that the program uses."""
        return plugin_pb2.PluginInfo(version=version("pulumi-aws"))

    def GetSchema(self, request: object, context: object) -> provider_pb2.GetSchemaResponse:
        """Return a schema without types: the echo takes any."""
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "aws", "version": version("pulumi-aws")}))

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: object) -> provider_pb2.CheckResponse:
        """Accept every configuration."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: object) -> provider_pb2.DiffResponse:
        """Compare two configurations."""
        return self.Diff(request, context)

    def Configure(self, request: provider_pb2.ConfigureRequest, context: object) -> provider_pb2.ConfigureResponse:
        """Take region, account and default tags, and tell the user what this provider is."""
        # The SDK passes everything but strings as JSON.
        for name, value in _properties(request.args).items():
            self.config[name] = json.loads(value) if str(value).startswith(("[", "{")) else value
        with grpc.insecure_channel(self.engine) as channel:
            engine_pb2_grpc.EngineStub(channel).Log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=NOTICE))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: provider_pb2.CheckRequest, context: object) -> provider_pb2.CheckResponse:
        """Accept every input."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: provider_pb2.DiffRequest, context: object) -> provider_pb2.DiffResponse:
        """Compare the inputs; whatever changes is updated in place."""
        names = changed(_properties(request.old_inputs), _properties(request.news), list(request.ignoreChanges))
        changes = provider_pb2.DiffResponse.DIFF_SOME if names else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=changes, diffs=names)

    def Create(self, request: provider_pb2.CreateRequest, context: object) -> provider_pb2.CreateResponse:
        """Return an id and what AWS would answer."""
        inputs = _properties(request.properties)
        answer = outputs(request.urn, inputs, self.config, request.preview)
        resource_id = "" if request.preview else made_up_id(request.urn, inputs)
        return provider_pb2.CreateResponse(id=resource_id, properties=_struct(answer))

    def Read(self, request: provider_pb2.ReadRequest, context: Any) -> provider_pb2.ReadResponse:
        """Return what Pulumi's state has: nobody else changes an echo."""
        if not request.properties.fields:
            context.abort(grpc.StatusCode.NOT_FOUND, f"the sandbox's echo of AWS has no {request.urn} to import")
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Update(self, request: provider_pb2.UpdateRequest, context: object) -> provider_pb2.UpdateResponse:
        """Return what AWS would answer."""
        answer = outputs(request.urn, _properties(request.news), self.config, request.preview)
        return provider_pb2.UpdateResponse(properties=_struct(answer))

    def Delete(self, request: object, context: object) -> empty_pb2.Empty:
        """Do nothing: there is nothing."""
        return empty_pb2.Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Any) -> None:
        """Refuse: an echo knows nothing that it was not told."""
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the sandbox's echo of AWS cannot answer {request.tok}")

    def Cancel(self, request: object, context: object) -> empty_pb2.Empty:
        """Do nothing: no call takes long."""
        return empty_pb2.Empty()


def serve(engine: str) -> None:
    """Answer the engine at address `engine` until it ends this process or is gone itself.

    The port is the first line of the output.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Echo(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    cli = os.getppid()
    while os.getppid() == cli:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
