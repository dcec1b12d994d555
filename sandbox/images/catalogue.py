"""All images of a live cluster, and their archives."""

from sandbox.images import elasticsearch, go_programs, python, stand_in_images
from sandbox.images.oci import Image
from sandbox.progress import Progress


def images() -> list[Image]:
    """Return every image that the stacks run, and what the cluster itself runs."""
    return [*go_programs.images(), python.image(), *elasticsearch.images(), *stand_in_images.images()]


def ensure() -> list[Image]:
    """Write the archives that are not there yet, and return all images.

    Raises:
        SandboxError: one cannot be made, saying why.
    """
    found = images()
    missing = [image for image in found if not image.archive.exists()]
    progress = Progress(len(missing))
    for image in missing:
        progress.start(image.names[0])
        try:
            image.write()
        except BaseException:
            progress.abandon()
            raise
        progress.end("made")
    return found
