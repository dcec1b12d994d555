"""Writes images as OCI archives, which containerd imports."""

import functools
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Self

from operations.cache import cache
from sandbox import authority
from sandbox.program_pins import GOARCH

BUSYBOX = Path("/bin/busybox")
NOBODY = 65534


class Layer:
    """The files of an image, as a context manager; parent folders are made as they are needed, root's and 0755."""

    def __init__(self, archive: BinaryIO) -> None:
        """Write to `archive`, a file that is open for writing."""
        self._tar = tarfile.TarFile(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT)
        self._folders: set[PurePosixPath] = {PurePosixPath("/")}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()

    def folder(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Add an empty folder."""
        self._add(path, tarfile.DIRTYPE, mode=mode, uid=uid, gid=gid)
        self._folders.add(PurePosixPath(path))

    def text(self, path: str, text: str, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Add a file with this text."""
        data = text.encode()
        self._add(path, tarfile.REGTYPE, io.BytesIO(data), len(data), mode, uid, gid)

    def file(self, path: str, source: Path, mode: int | None = None, uid: int = 0, gid: int = 0) -> None:
        """Add a copy of a file of this machine, with its mode unless another is given."""
        status = source.stat()
        with source.open("rb") as content:
            self._add(path, tarfile.REGTYPE, content, status.st_size, mode or status.st_mode & 0o777, uid, gid)

    def link(self, path: str, target: str, uid: int = 0, gid: int = 0) -> None:
        """Add a symbolic link."""
        self._add(path, tarfile.SYMTYPE, target=target, mode=0o777, uid=uid, gid=gid)

    def tree(self, path: str, source: Path, uid: int = 0, gid: int = 0, group_as_owner: bool = False) -> None:
        """Add a folder of this machine with all that is below; `group_as_owner` is `chmod g=u`."""
        for folder, folders, files in os.walk(source):
            folders.sort()
            inside = PurePosixPath(path, PurePosixPath(Path(folder).relative_to(source).as_posix()))
            mode = Path(folder).stat().st_mode & 0o777
            self.folder(str(inside), _same_for_group(mode) if group_as_owner else mode, uid, gid)
            for name in sorted([*files, *folders]):
                file = Path(folder, name)
                if file.is_symlink():
                    self.link(str(inside / name), os.readlink(file), uid, gid)
                elif file.is_file():
                    mode = file.stat().st_mode & 0o777
                    self.file(str(inside / name), file, _same_for_group(mode) if group_as_owner else mode, uid, gid)

    def system(self, **ids: int) -> None:
        """Add what programs expect of a system: users (these, root, nobody), /tmp, how to resolve, whom to trust."""
        known = {"root": 0, "nobody": NOBODY, **ids}
        self.text("/etc/passwd", "".join(f"{name}:x:{uid}:{uid}:{name}:/:/bin/sh\n" for name, uid in known.items()))
        self.text("/etc/group", "".join(f"{name}:x:{uid}:\n" for name, uid in known.items()))
        self.text("/etc/nsswitch.conf", "hosts: files dns\n")
        # Nobody else signs for who can be reached from a live cluster.
        self.text("/etc/ssl/certs/ca-certificates.crt", authority.of_images().pem.decode())
        self.folder("/tmp", 0o1777)  # noqa: S108  in the image

    def busybox(self, *commands: str) -> None:
        """Add this machine's static busybox under these names."""
        self.file("/bin/busybox", BUSYBOX)
        for name in commands:
            self.link(f"/bin/{name}", "busybox")

    def _add(
        self,
        path: str,
        kind: bytes,
        content: BinaryIO | None = None,
        size: int = 0,
        mode: int = 0o755,
        uid: int = 0,
        gid: int = 0,
        target: str = "",
    ) -> None:
        for parent in reversed(PurePosixPath(path).parents):
            if parent not in self._folders:
                self.folder(str(parent))
        entry = tarfile.TarInfo(path.strip("/"))
        entry.type, entry.mode, entry.uid, entry.gid, entry.linkname, entry.size = kind, mode, uid, gid, target, size
        self._tar.addfile(entry, content)


@functools.cache
def _modules() -> tuple[str, ...]:
    """Return the modules of this folder, which decide what is in an image."""
    return tuple(file.read_text() for file in sorted(Path(__file__).parent.glob("*.py")))


def _same_for_group(mode: int) -> int:
    return mode & 0o707 | (mode & 0o700) >> 3


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image: the names that charts and operators ask for, how a container of it starts, and what fills it.

    `content` is all that decides what `fill` adds besides the modules of this folder and this machine's own libraries:
    versions, texts, digests. The archive is made anew when one of them changes. `user` is written as in the published
    Dockerfile, for a kubelet takes a name otherwise than a number.
    """

    names: tuple[str, ...]
    content: tuple[str, ...]
    fill: Callable[[Layer], None]
    user: str = ""
    workdir: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def archive(self) -> Path:
        """The path of the archive once it is written."""
        parts = (self.names, self.content, self._configuration(), _modules(), authority.of_images().pem)
        key = hashlib.sha256(repr(parts).encode()).hexdigest()[:8]
        name = self.names[0].rsplit("/", 1)[-1].replace(":", "-")
        return cache() / "images" / f"{name}-{key}.tar"

    def write(self) -> None:
        """Write the archive unless it is there: whole, or not at all. Those of another content go.

        Raises:
            SandboxError: a part of it cannot be had.
        """
        if self.archive.exists():
            return
        work = self.archive.with_suffix(".work")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            with (work / "layer").open("wb") as archive, Layer(archive) as layer:
                self.fill(layer)
            self._pack(work / "layer", work / "image")
            for old in self.archive.parent.glob(f"{self.archive.stem[:-8]}????????.tar"):
                old.unlink()
            (work / "image").replace(self.archive)
        finally:
            shutil.rmtree(work)

    def _configuration(self) -> dict[str, Any]:
        return {
            "User": self.user,
            "WorkingDir": self.workdir,
            "Entrypoint": list(self.entrypoint) or None,
            "Cmd": list(self.command) or None,
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
        }

    def _pack(self, layer: Path, target: Path) -> None:
        """Write the archive: https://github.com/opencontainers/image-spec/blob/main/image-layout.md."""
        blobs: dict[str, bytes] = {}

        def blob(kind: str, document: Any) -> dict[str, Any]:
            data = json.dumps(document).encode()
            digest = hashlib.sha256(data).hexdigest()
            blobs[digest] = data
            return {
                "mediaType": f"application/vnd.oci.image.{kind}+json",
                "digest": f"sha256:{digest}",
                "size": len(data),
            }

        with layer.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        configuration = blob(
            "config.v1",
            {
                "architecture": GOARCH,
                "os": "linux",
                "config": self._configuration(),
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            },
        )
        only_layer = {
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": f"sha256:{digest}",
            "size": layer.stat().st_size,
        }
        manifest = blob(
            "manifest.v1",
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": configuration,
                "layers": [only_layer],
            },
        )
        index = {
            "schemaVersion": 2,
            "manifests": [{**manifest, "annotations": {"io.containerd.image.name": name}} for name in self.names],
        }
        with target.open("wb") as archive, Layer(archive) as files:
            files.text("oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}))
            files.text("index.json", json.dumps(index))
            for name, data in blobs.items():
                files.text(f"blobs/sha256/{name}", data.decode())
            files.file(f"blobs/sha256/{digest}", layer)
