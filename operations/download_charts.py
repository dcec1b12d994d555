"""Download every pinned chart from its repository: `make charts`.

The digest of an archive is recorded in components/foundation/charts.lock.json by its first download, and checked from
then on. An archive that is there and right is not fetched again. With --locked nothing is recorded: an archive whose
digest is not in the file is an error, and is not fetched.

Exit statuses: 0 all archives are there, 1 at least one is not, 2 wrong usage, 130 interrupted.
"""

import argparse
import hashlib
import http.client
import json
import re
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urljoin

import yaml

from components.foundation.chart_pins import PINS, Chart, archive

LOCK = Path(__file__).parent.parent / "components" / "foundation" / "charts.lock.json"
_TIMEOUT = 60  # seconds without an answer


class ChartError(Exception):
    """An archive could not be had; the message says why, and what to do."""


@dataclass(frozen=True)
class Archive:
    """A chart archive that is in the directory now; `size` is in bytes, `fetched` whether it was not before."""

    chart: str
    version: str
    sha256: str
    size: int
    fetched: bool


def download(
    pins: Mapping[str, Chart], directory: Path, lock: Path, tell: Callable[[str], None], locked: bool = False
) -> tuple[list[Archive], list[str]]:
    """Bring the archives of all pins into `directory`, and record the digests of those fetched for the first time.

    Args:
        pins: the charts, their versions and repositories.
        directory: where the archives go; made if it is not there.
        lock: the JSON file with the digests, by file name.
        tell: called with a line for each chart.
        locked: whether an archive without a digest in `lock` is refused.

    Returns:
        The archives that are there, and one line for each that is not.
    """
    recorded: dict[str, str] = json.loads(lock.read_text()) if lock.exists() else {}
    files = {chart: archive(str(directory), chart) for chart in pins}
    digests = {file.name: recorded[file.name] for file in files.values() if file.name in recorded}
    directory.mkdir(parents=True, exist_ok=True)
    indexes: dict[str, str] = {}
    archives, problems = [], []
    for number, (chart, pin) in enumerate(pins.items(), start=1):
        file = files[chart]
        try:
            if locked and file.name not in digests:
                raise ChartError(f"{LOCK.name} has no digest of it. Run make charts and commit {LOCK.name}")
            fetched = _bring(file, chart, pin, digests, indexes)
        except ChartError as error:
            problems.append(f"{file.name}: {error}")
            state = "failed"
        else:
            archives.append(Archive(chart, pin.version, digests[file.name], file.stat().st_size, fetched))
            state = f"{'fetched' if fetched else 'present'}, {archives[-1].size / 1024:.0f} KiB"
        tell(f"[{number} of {len(pins)}] {chart} {pin.version}: {state}")
        # After each one: an interrupted run must not leave an archive that nobody vouches for.
        if digests != recorded:
            _write(lock, (json.dumps(digests, indent=2, sort_keys=True) + "\n").encode())
            recorded = dict(digests)
    return archives, problems


def _bring(file: Path, chart: str, pin: Chart, digests: dict[str, str], indexes: dict[str, str]) -> bool:
    """Return whether the archive had to be fetched; add its digest to `digests`, and what was read to `indexes`."""
    locked = digests.get(file.name)
    if file.exists():
        if locked == hashlib.sha256(file.read_bytes()).hexdigest():
            return False
        file.unlink()
    if pin.repository not in indexes:
        indexes[pin.repository] = _get(f"{pin.repository}/index.yaml").decode()
    url, published = _entry(indexes[pin.repository], chart, pin)
    content = _get(url)
    digest = hashlib.sha256(content).hexdigest()
    if locked and digest != locked:
        raise ChartError(
            f"the repository's archive has sha256 {digest}, but {LOCK.name} has {locked}; it was not kept. "
            f"If that version was published anew on purpose, compare the two, remove its line from {LOCK.name} "
            "and run: make charts"
        )
    if published and digest != published:
        raise ChartError(
            f"it came with sha256 {digest}, but the repository's index says {published}; it was not kept. "
            "Run again: make charts"
        )
    digests[file.name] = digest
    _write(file, content)
    return True


def _entry(index: str, chart: str, pin: Chart) -> tuple[str, str | None]:
    """Return the address of an archive, and its digest if the index has one."""
    # Indexes have megabytes, and YAML takes more than a second for each: only this version is parsed. Helm writes them.
    part = re.search(rf"^  {re.escape(chart)}:\n((?:(?: {{2}}[ -].*)?\n)*)", index, re.MULTILINE)
    entries = re.split(r"^  - ", part[1], flags=re.MULTILINE) if part else []
    versions = {
        version[1]: entry for entry in entries if (version := re.search(r"^ {4}version: (\S+)$", entry, re.MULTILINE))
    }
    if pin.version not in versions:
        known = ", ".join(list(versions)[:5]) or "none"
        raise ChartError(
            f"{pin.repository} has no {chart} {pin.version}; the first that it lists: {known}. "
            "Correct the pin in components/foundation/chart_pins.py"
        )
    entry = yaml.safe_load(f"    {versions[pin.version]}")
    return urljoin(f"{pin.repository}/", entry["urls"][0]), entry.get("digest")


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 (the pins and indexes say https)
            content: bytes = answer.read()
            return content
    except (OSError, http.client.HTTPException) as error:
        raise ChartError(f"{url} does not answer: {error}. Check the network, then run again: make charts") from error


def _write(file: Path, content: bytes) -> None:
    """Write a file so that it is there whole, or not at all."""
    partial = file.with_name(f"{file.name}.partial")
    partial.write_bytes(content)
    partial.replace(file)


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="make charts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", type=Path, default=Path(".charts"), help="where they go (default: .charts)")
    parser.add_argument("--locked", action="store_true", help="refuse an archive whose digest is not committed")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    try:
        archives, problems = download(
            PINS, arguments.directory, LOCK, lambda line: print(line, file=sys.stderr), arguments.locked
        )
    except KeyboardInterrupt:
        print("Interrupted. Run the same again: what is fetched already is kept.", file=sys.stderr)
        return 130
    if arguments.json:
        directory = str(arguments.directory)
        result = {"directory": directory, "archives": [asdict(one) for one in archives], "problems": problems}
        print(json.dumps(result, indent=2))
    else:
        for problem in problems:
            print(f"charts: {problem}", file=sys.stderr)
        if not problems:
            fetched = sum(one.fetched for one in archives)
            print(f"All {len(archives)} charts are in {arguments.directory} ({fetched} fetched now).")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
