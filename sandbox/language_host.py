"""The host for Python programs of the built Pulumi CLI: the CLI starts it, and it runs `__main__.py` when asked.

An installed Pulumi brings its own. That one is no Go module of the proxy, so none is built with the CLI; this one does
what the sandbox needs of it, in the Python that it runs in.
"""
# ruff: noqa: ARG002, N802 the names and the parameters are those of the engine's calls

import asyncio
import gc
import logging
import os
import runpy
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pulumi
from pulumi.runtime import Settings, configure, run_in_stack, set_all_config
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The calls of the engine that matter here; the others answer that they are not implemented."""

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def GetPluginInfo(self, request: object, context: object) -> plugin_pb2.PluginInfo:
        """Return nothing: this host has no version."""
        return plugin_pb2.PluginInfo()

    def GetRequiredPackages(self, request: object, context: object) -> language_pb2.GetRequiredPackagesResponse:
        """Return no package: each resource names its plugin's version, and the sandbox has the plugins."""
        return language_pb2.GetRequiredPackagesResponse()

    def InstallDependencies(
        self, request: object, context: object
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """Install nothing: programs run in the Python of this host, which has the packages of `make`."""
        yield language_pb2.InstallDependenciesResponse(stdout=f"Python packages: those of {sys.prefix}\n".encode())

    def About(self, request: object, context: object) -> language_pb2.AboutResponse:
        """Return the Python that runs programs."""
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def Run(self, request: language_pb2.RunRequest, context: object) -> language_pb2.RunResponse:
        """Run the program. What it prints reaches the user through this process' own output."""
        configure(
            Settings(
                project=request.project,
                stack=request.stack,
                parallel=request.parallel,
                dry_run=request.dryRun,
                monitor=request.monitor_address,
                engine=self.engine,
                organization=request.organization or "organization",
                root_directory=request.info.root_directory,
            )
        )
        set_all_config(dict(request.config), list(request.configSecretKeys))
        program = Path(request.info.program_directory)
        os.chdir(program)
        sys.path.insert(0, str(program))
        sys.argv = [str(program), *request.args]
        error = _run_to_the_end(program, request.parallel)
        if error is None:
            return language_pb2.RunResponse()
        if error:
            pulumi.log.error(error)
        # The user has been told: the engine is to stop without a message of its own.
        return language_pb2.RunResponse(bail=True)


def _run_to_the_end(program: Path, parallel: int) -> str | None:
    """Run the program with its resources and return the error to show, empty if it showed one itself, else None."""

    def program_itself() -> None:
        runpy.run_path(str(program), run_name="__main__")

    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=max(parallel, 1) * 4))
    try:
        loop.run_until_complete(run_in_stack(program_itself))
    except pulumi.RunError as error:
        return str(error)
    except SystemExit as end:
        return None if end.code in (None, 0) else "" if isinstance(end.code, int) else str(end.code)
    except grpc.RpcError as error:
        # The engine closes its side when it gives up, after it has said why.
        return "" if error.code() == grpc.StatusCode.UNAVAILABLE else f"the engine answered: {error.details()}"
    except Exception as error:
        return f"Program failed with an unhandled exception:\n{_traceback(error, program)}"
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return None


def _traceback(error: Exception, program: Path) -> str:
    """Return the traceback from the program's own first line on."""
    step = error.__traceback__
    while step is not None and not step.tb_frame.f_code.co_filename.startswith(f"{program}{os.sep}"):
        step = step.tb_next
    return "".join(traceback.format_exception(type(error), error, step or error.__traceback__))


def _end(*_: object) -> None:
    """End this process, so that temporary files are removed; a program that still runs gets a second to end."""
    timer = threading.Timer(1, os._exit, [0])
    timer.daemon = True
    timer.start()
    gc.freeze()  # to look for garbage in all that a program has imported takes longer than the rest of the end
    sys.exit(0)


def serve(engine: str) -> None:
    """Answer the engine at address `engine` until it ends this process or is gone itself.

    The port is the first line of the output.
    """
    # Whatever a failed program leaves unawaited is no news: its failure is reported.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    cli = os.getppid()
    while os.getppid() == cli:
        time.sleep(0.5)
    _end()


if __name__ == "__main__":
    # Before the address come the flags that the user gave for the logs and traces.
    serve(sys.argv[-1])
