"""All images of a live cluster, and their archives."""

import shutil

from sandbox.build import lock
from sandbox.images import elasticsearch, go_programs, java, python, stand_in_images
from sandbox.images.oci import Image
from sandbox.processes import SandboxError
from sandbox.program_pins import Group, Program, of_groups
from sandbox.progress import Progress

# Which Debian package has each program that goes into an image, or makes one.
PROGRAMS = {
    "apt-get": "apt",
    "bash": "bash",
    "curl": "curl",
    "dpkg": "dpkg",
    "grep": "grep",
    "ldd": "libc-bin",
    "mvn": "maven",
    "openssl": "openssl",
}


def programs() -> list[Program]:
    """Return the programs that a live cluster and its images are made of; they are built before the images."""
    of_cluster = of_groups(Group.CLUSTER, Group.LIVE)
    return [*of_cluster, *(program for program in go_programs.PROGRAMS if program not in of_cluster)]


def images() -> list[Image]:
    """Return every image that the stacks run, and what the cluster itself runs."""
    return [*go_programs.images(), python.image(), *elasticsearch.images(), *stand_in_images.images()]


def lacks() -> list[str]:
    """Return what this machine lacks to make the images that are not there, a line each with its remedy."""
    if all(image.archive.exists() for image in images()):
        return []
    packages = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    install = f"programs that make images are missing; install them: apt-get install {' '.join(sorted(packages))}"
    found = [install] if packages else []
    try:
        java.jdk()
    except SandboxError as error:
        found.append(str(error))
    return found


def ensure() -> list[Image]:
    """Write the archives that are not there yet, and return all images.

    Raises:
        SandboxError: one cannot be made, saying why.
    """
    found = images()
    if any(not image.archive.exists() for image in found):
        with lock():
            _make([image for image in found if not image.archive.exists()])
    return found


def _make(missing: list[Image]) -> None:
    progress = Progress(len(missing))
    for image in missing:
        progress.start(image.names[0])
        try:
            image.write()
        except BaseException:
            progress.abandon()
            raise
        progress.end("made")
