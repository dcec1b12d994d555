"""Images as archives: what is in them, and what containerd reads of them."""

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from operations.cache import cache
from sandbox.images.oci import Image, Layer


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANGAKAI_CACHE", str(tmp_path / "cache"))


def layer_of(tmp_path: Path) -> tarfile.TarFile:
    tree = tmp_path / "tree"
    (tree / "config").mkdir(parents=True)
    (tree / "config" / "roles.yml").write_text("{}")
    (tree / "config" / "roles.yml").chmod(0o640)
    (tree / "config").chmod(0o750)
    (tree / "current").symlink_to("config")
    archive = io.BytesIO()
    with Layer(archive) as layer:
        layer.text("/etc/app/app.yml", "a: 1\n", mode=0o600, uid=1000, gid=7)
        layer.text("/etc/app/other.yml", "")
        layer.folder("/data", 0o775, 1000, 0)
        layer.text("/data/file", "")
        layer.file("/bin/app", tree / "config" / "roles.yml", 0o755)
        layer.link("/bin/sh", "busybox")
        layer.tree("/home", tree, 1000, 0, group_as_owner=True)
        layer.system(app=1000)
    archive.seek(0)
    return tarfile.open(fileobj=archive)


def test_a_layer_has_owners_and_modes_and_each_parent_once(tmp_path: Path) -> None:
    with layer_of(tmp_path) as layer:
        entries = {entry.name: (oct(entry.mode), entry.uid, entry.gid) for entry in layer}
        names = layer.getnames()
        users = layer.extractfile("etc/passwd")
        link = layer.getmember("bin/sh").linkname
        inner = layer.getmember("home/current").linkname
        assert users
        assert b"nobody:x:65534:65534:" in users.read()
    assert len(names) == len(set(names))
    assert entries["etc/app"] == ("0o755", 0, 0)
    assert entries["etc/app/app.yml"] == ("0o600", 1000, 7)
    assert entries["data"] == ("0o775", 1000, 0)
    assert entries["bin/app"] == ("0o755", 0, 0)
    assert entries["home/config"] == ("0o770", 1000, 0)
    assert entries["home/config/roles.yml"] == ("0o660", 1000, 0)
    assert (link, inner) == ("busybox", "config")
    assert names.index("etc") < names.index("etc/app") < names.index("etc/app/app.yml")


IMAGE = Image(
    names=("docker.io/library/app:1", "registry.example/app:1"),
    content=("1",),
    fill=lambda layer: layer.text("/app", "x"),
    user="nobody",
    workdir="/work",
    entrypoint=("/app",),
    environment={"PATH": "/bin"},
)


def test_an_archive_is_what_the_specification_of_images_says() -> None:
    IMAGE.write()
    with tarfile.open(IMAGE.archive) as archive:

        def read(name: str) -> bytes:
            file = archive.extractfile(name)
            assert file
            return file.read()

        def blob(descriptor: dict[str, str | int]) -> bytes:
            data = read(f"blobs/sha256/{str(descriptor['digest']).removeprefix('sha256:')}")
            assert len(data) == descriptor["size"]
            assert f"sha256:{hashlib.sha256(data).hexdigest()}" == descriptor["digest"]
            return data

        assert json.loads(read("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
        named = json.loads(read("index.json"))["manifests"]
        assert [each["annotations"]["io.containerd.image.name"] for each in named] == list(IMAGE.names)
        manifest = json.loads(blob(named[0]))
        configuration = json.loads(blob(manifest["config"]))
        (only,) = manifest["layers"]
        assert configuration["rootfs"]["diff_ids"] == [only["digest"]]
        assert configuration["config"] == {
            "User": "nobody",
            "WorkingDir": "/work",
            "Entrypoint": ["/app"],
            "Cmd": None,
            "Env": ["PATH=/bin"],
        }
        with tarfile.open(fileobj=io.BytesIO(blob(only))) as layer:
            assert layer.getnames() == ["app"]


def test_an_archive_is_made_anew_when_something_changes_that_decides_it() -> None:
    archives = {IMAGE.archive, replace(IMAGE, content=("2",)).archive, replace(IMAGE, user="1000").archive}
    assert len(archives) == 3
    assert replace(IMAGE).archive == IMAGE.archive


def test_an_image_that_fails_half_way_is_not_there_and_is_made_the_next_time() -> None:
    def fail(layer: Layer) -> None:
        layer.text("/app", "x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(IMAGE, fill=fail).write()
    assert not IMAGE.archive.exists()
    IMAGE.write()
    assert [path.name for path in (cache() / "images").iterdir()] == [IMAGE.archive.name]
