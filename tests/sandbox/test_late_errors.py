"""What is raised where a value is computed late, while the hooks of the Releases are registered, reaches the user."""

from collections.abc import Iterator

import pytest

from tests.sandbox.conftest import Project

RAISED = "this is what was wrong"
REPLACEMENT = """

def {function}(*_: object) -> None:
    import pulumi

    raise {kind}({text!r})
"""


@pytest.fixture(scope="module", autouse=True)
def local(project: Project) -> Iterator[None]:
    project.prepare("local", exposure={"authentication": True})
    yield
    project.prepare("local")


@pytest.mark.parametrize("kind", ["pulumi.RunError", "ValueError"])
@pytest.mark.parametrize(("file", "function"), [("kubernetes_secrets.py", "web_config"), ("certificate.py", "derived")])
def test_it_is_told_as_it_was_raised(project: Project, file: str, function: str, kind: str) -> None:
    path = project.folder / "components" / "foundation" / file
    text = path.read_text()
    assert f"\ndef {function}(" in text
    path.write_text(text + REPLACEMENT.format(function=function, kind=kind, text=RAISED))
    try:
        done = project.pulumi("local", "preview")
    finally:
        path.write_text(text)
    assert done.returncode != 0
    assert RAISED in done.stdout, done.stdout[-3000:]
    assert "EOF" not in done.stdout
