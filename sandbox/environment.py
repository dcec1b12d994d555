"""The shell environment in which `pulumi` and `kubectl` speak to a sandbox and to nothing of the user's."""

import os
import shlex
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from sandbox.layout import CHECKOUT, Sandbox
from sandbox.program_pins import AMTOOL, HELM, KUBECTL, PROMTOOL, PROVIDER, PULUMI, find_pulumi

# It protects throwaway secrets only, so that a shell, a test and `make up` all read the same state.
PASSPHRASE = "sandbox"


def environment(sandbox: Sandbox, stack: str) -> dict[str, str]:
    """Return the variables that a shell on `sandbox` needs beside those it has, with `stack` selected."""
    path = [entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry != str(sandbox.bin)]
    local = "127.0.0.1,localhost"
    others = os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))
    no_proxy = others if local in others else f"{local},{others}".rstrip(",")
    return {
        "PATH": os.pathsep.join([str(sandbox.bin), *path]),
        "KUBECONFIG": str(sandbox.kubeconfig),
        "KUBECACHEDIR": str(sandbox.kubectl_cache),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "PULUMI_HOME": str(sandbox.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{sandbox.state}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_STACK": stack,
        # The CLI reads PULUMI_OPTION_<FLAG> for each flag: here --config-file of every command that has it.
        "PULUMI_OPTION_CONFIG_FILE": str(sandbox.stack_file(stack)),
        # `pulumi stack rm` would remove the committed configuration.
        "PULUMI_OPTION_PRESERVE_CONFIG": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        # The echo provider asks for no credentials; whatever else looks for some finds these.
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_SESSION_TOKEN": "",
        "AWS_PROFILE": "",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def exports(variables: dict[str, str]) -> str:
    """Return the lines that set `variables` in a POSIX shell: what `eval "$(make env)"` evaluates."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def install(sandbox: Sandbox) -> None:
    """Fill the sandbox's `bin` and Pulumi home with the programs that are built; what is there is replaced."""
    for folder in (sandbox.bin, sandbox.pulumi_home / "plugins", sandbox.state, sandbox.temporary):
        folder.mkdir(parents=True, exist_ok=True)
    for program in (KUBECTL, PROMTOOL, AMTOOL, HELM):
        if program.path.exists():
            _link(program.path, sandbox.bin / program.file_name)
    plugins = sandbox.pulumi_home / "plugins"
    kubernetes = plugins / f"resource-kubernetes-v{PROVIDER.version}" / PROVIDER.file_name
    # Started through the sandbox: one whose CLI was killed works on for minutes, and `processes` has to find it.
    provider = sandbox.pulumi_home / PROVIDER.file_name
    _link(PROVIDER.path, provider)
    _write_launcher(sandbox, kubernetes, [provider])
    echo = plugins / f"resource-aws-v{version('pulumi-aws')}" / "pulumi-resource-aws"
    # What AWS would answer, `operations` knows: previews without an engine need it too.
    _write_launcher(sandbox, echo, ["env", f"PYTHONPATH={CHECKOUT}", *_python("aws_echo.py")])
    if not _is_pulumi_installed():
        # A hard link: the CLI takes the language host beside its own file, resolved, and warns of any other.
        _link_hard(PULUMI.path, sandbox.bin / PULUMI.file_name)
        _write_launcher(sandbox, sandbox.bin / "pulumi-language-python", _python("language_host.py"))


def _is_pulumi_installed() -> bool:
    """Return whether the user has a Pulumi of their own, that is one not from a sandbox whose `bin` is on the PATH."""
    found = find_pulumi()
    return found is not None and not (PULUMI.path.exists() and found.samefile(PULUMI.path))


def _link(target: Path, link: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _link_hard(target: Path, link: Path) -> None:
    """Link, or copy where cache and sandbox are on different file systems."""
    if link.exists() and link.samefile(target):
        return
    link.unlink(missing_ok=True)
    try:
        link.hardlink_to(target)
    except OSError:
        shutil.copy2(target, link)


def _python(script: str) -> list[str | Path]:
    """Return the command that runs a script of this folder in the Python of this environment."""
    # -P: the modules beside the script are not to be imported as top-level ones.
    return [sys.executable, "-P", CHECKOUT / "sandbox" / script]


def _write_launcher(sandbox: Sandbox, launcher: Path, command: list[str | Path]) -> None:
    """Write an executable that runs `command` with the temporary files of the sandbox."""
    launcher.parent.mkdir(parents=True, exist_ok=True)
    # Not through a link: what it points to may be a program of the cache.
    launcher.unlink(missing_ok=True)
    temporary, program = shlex.quote(str(sandbox.temporary)), shlex.join(map(str, command))
    launcher.write_text(f'#!/bin/sh\nTMPDIR={temporary} exec {program} "$@"\n')
    launcher.chmod(0o755)
