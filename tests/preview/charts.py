"""A chart that was published anew."""

import tarfile
from pathlib import Path


def newer_prometheus(charts: Path, folder: Path) -> Path:
    """Put version 29.28.0 of Prometheus' chart, with another Prometheus, beside 29.27.0, and return its archive.

    Args:
        charts: where the archives lie.
        folder: for what is unpacked.
    """
    with tarfile.open(charts / "prometheus-29.27.0.tgz") as archive:
        archive.extractall(folder, filter="data")
    chart = folder / "prometheus" / "Chart.yaml"
    text = chart.read_text().replace("29.27.0", "29.28.0").replace("v3.14.0", "v3.15.0")
    assert text.count("29.28.0") == text.count("v3.15.0") == 1
    chart.write_text(text)
    target = charts / "prometheus-29.28.0.tgz"
    with tarfile.open(target, "w:gz") as archive:
        archive.add(folder / "prometheus", "prometheus")
    return target
