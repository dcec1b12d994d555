"""A rendered stack as the official tools can check it."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox.program_pins import Program

_ABSOLUTE = re.compile(r"(?<=[ '\"])/(?=etc/|var/run/)")


@dataclass(frozen=True)
class Rendered:
    """A stack's files in `folder`; `folder`/pod is the root that the pods have."""

    stack: str
    folder: Path
    files: dict[str, str]

    def localized(self, name: str) -> Path:
        """Return a copy of a rendered file whose absolute paths lead below `folder`/pod."""
        copy = self.folder / "pod" / "localized" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(_ABSOLUTE.sub(f"{self.folder}/pod/", self.files[name]))
        return copy

    def localize_folder(self, name: str, target: str) -> None:
        """Put localized copies of a folder's files where the pods have them."""
        for path in [path for path in self.files if path.startswith(f"{name}/")]:
            (self.folder / "pod" / target / Path(path).name).write_text(self.localized(path).read_text())


def check(program: Program, *arguments: str | Path) -> str:
    """Run promtool or amtool, and return what it says. Fails if it finds something wrong."""
    done = subprocess.run([str(program.path), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
