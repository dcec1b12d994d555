"""The stack `local`, up on the sandbox."""

import time
from collections.abc import Iterator

import pytest

from tests.sandbox.conftest import Project


@pytest.fixture(scope="package", autouse=True)
def local(project: Project) -> Iterator[None]:
    """The stack is up for all tests of this folder, and destroyed after them."""
    project.prepare("local")
    began = time.monotonic()
    created = project.up("local")
    print(f"\nup: {created} in {time.monotonic() - began:.1f} s")
    yield
    began = time.monotonic()
    print(f"\ndestroy: {project.destroy('local')} in {time.monotonic() - began:.1f} s")
