"""Names everything that this machine lacks for a live cluster before anything is built or started."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sandbox import preflight
from sandbox.images.oci import BUSYBOX
from sandbox.live.servers import CNI_PLUGINS

# Which Debian package has each program.
PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "iptables-save": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "mount": "mount",
    "unshare": "util-linux",
}
FILES = {BUSYBOX: "busybox-static", Path(CNI_PLUGINS, "bridge"): "containernetworking-plugins"}
# CAP_SYS_ADMIN, CAP_NET_ADMIN: linux/capability.h. A container's root lacks them unless it is privileged.
CAPABILITIES = 1 << 21 | 1 << 12
MOUNTS = Path("/proc/self/mounts")
# Bytes: images, volumes of a stack, and what the kubelet keeps free.
DISK = 5_000_000_000
# Bytes: what a machine has that runs the stack `prod`.
MEMORY = 7_000_000_000
# What the node mounts over with contents of its own.
HIDDEN = ("/run", "/var/lib", "/var/log")
# What a network of its own needs of the kernel, tried in one, and the module that has it.
KERNEL = {
    "a bridge": (["ip", "link", "add", "try0", "type", "bridge"], "bridge"),
    "pairs of interfaces": (["ip", "link", "add", "try0", "type", "veth", "peer", "name", "try1"], "veth"),
    "nftables": (["nft", "add", "table", "ip", "try"], "nf_tables"),
    "address translation": (
        ["nft", "add table ip try; add chain ip try try { type nat hook output priority 0; }"],
        "nft_chain_nat",
    ),
    "sets of addresses": (["ipset", "create", "try", "hash:ip"], "ip_set_hash_ip"),
}


def check(directory: Path) -> list[str]:
    """Return what is missing for a cluster in `directory`, a line each with its remedy; empty if nothing is."""
    if sys.platform != "linux":
        return ["containers run on Linux only; on another system use kind (docs/kind.md), or make up"]
    if os.geteuid() != 0 or not _has_capabilities():
        return ["root with CAP_SYS_ADMIN and CAP_NET_ADMIN is needed: run the same as root, or use make up"]
    return [*_packages(), *_kernel(), *_place(directory)]


def room(directory: Path) -> list[str]:
    """Return what to say where the disk of a cluster's folder is too full for one that is to start; else nothing."""
    full = preflight.disk(
        directory, DISK, f"a live cluster takes {DISK / 1e9:.1f} GB", "free some, or move the checkout"
    )
    return [full] if full else []


def _has_capabilities() -> bool:
    status = Path("/proc/self/status").read_text().splitlines()
    effective = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    return int(effective, 16) & CAPABILITIES == CAPABILITIES


def _packages() -> Iterator[str]:
    missing = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    missing |= {package for file, package in FILES.items() if not file.exists()}
    if missing:
        names = " ".join(sorted(missing))
        yield f"programs that run containers are missing; install them: apt-get install --no-install-recommends {names}"


def _place(directory: Path) -> Iterator[str]:
    """Yield what is wrong with the folder: the node mounts overlays whose files lie in it."""
    path = directory.resolve()
    hidden = [folder for folder in HIDDEN if path.is_relative_to(folder)]
    if hidden:
        yield f"the checkout lies below {hidden[0]}, which the node mounts anew: move it elsewhere"
    mounts = [line.split() for line in MOUNTS.read_text().splitlines()]
    mount = max((fields for fields in mounts if path.is_relative_to(fields[1])), key=lambda fields: len(fields[1]))
    if mount[2] == "overlay":
        yield f"{mount[1]} is an overlay, as in a container, on which no other one lies: use a folder on a disk"


def _kernel() -> Iterator[str]:
    if "overlay" not in Path("/proc/filesystems").read_text().split():
        yield "the kernel lacks the file system overlay; load it: modprobe overlay"
    if not Path("/proc/sys/net/bridge").exists():
        yield "the kernel lacks netfilter on bridges; load it: modprobe br_netfilter"
    if not any(line.split()[2] in ("cgroup", "cgroup2") for line in MOUNTS.read_text().splitlines()):
        yield "no control groups are mounted; mount them: mount -t cgroup2 none /sys/fs/cgroup"
    for what, (command, module) in KERNEL.items():
        if shutil.which(command[0]) and not _works(command):
            yield f"the kernel lacks {what}, tried by `{' '.join(command)}`; load it: modprobe {module}"


def _works(command: list[str]) -> bool:
    """Return whether a command works in a network of its own, which ends with it."""
    return subprocess.run(["unshare", "--net", *command], capture_output=True, check=False).returncode == 0
