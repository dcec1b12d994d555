"""The files of scrape/, and what a stack makes of them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.foundation.names import APPLICATION, WEB_USER
from components.metrics import scrape_jobs
from components.metrics.scrape_jobs import SCRAPE, jobs, render
from components.settings.application import ApplicationSettings
from components.settings.foundation import ExposureSettings
from tests.offline import run

FILES = sorted(SCRAPE.glob("*.yml"))
SHOP = ApplicationSettings(namespace="shop")


def by_name(authentication: bool = True, backups: bool = True) -> dict[str, dict[str, Any]]:
    return {job["job_name"]: job for job in jobs(SHOP, authentication, backups)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_is_the_job_of_its_name(file: Path) -> None:
    (job,) = yaml.safe_load(file.read_text())["scrape_configs"]
    assert job["job_name"] == file.stem
    assert file.read_text().startswith("# ")


def test_every_file_reaches_prometheus() -> None:
    rendered = render(SHOP, ExposureSettings(), backups=True)
    assert rendered.keys() == {file.name for file in FILES}
    for name, text in rendered.items():
        assert yaml.safe_load(text) == yaml.safe_load((SCRAPE / name).read_text().replace(APPLICATION, "shop"))


def test_the_application_is_where_the_stack_says() -> None:
    watched = {
        name
        for name, job in by_name().items()
        for discovery in job["kubernetes_sd_configs"]
        if "shop" in discovery.get("namespaces", {}).get("names", [])
    }
    assert watched == {file.stem for file in FILES if APPLICATION in file.read_text()}
    assert watched >= {"mangakai-backend", "redis", "postgres", "nginx"}
    assert APPLICATION not in "".join(render(SHOP, ExposureSettings(), backups=True).values())


@pytest.mark.parametrize("namespace", ["on", "null", "0123"])
def test_a_namespace_is_a_text_whatever_it_looks_like(namespace: str) -> None:
    found = jobs(ApplicationSettings(namespace=namespace), authentication=True, backups=True)
    for name in ("mangakai-backend", "redis", "postgres", "nginx"):
        (job,) = [job for job in found if job["job_name"] == name]
        assert job["kubernetes_sd_configs"][0]["namespaces"]["names"] == [namespace]


def test_a_job_need_not_quote_the_namespace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text("scrape_configs: [{job_name: shop, names: [$application]}]")
    monkeypatch.setattr(scrape_jobs, "SCRAPE", tmp_path)
    (job,) = jobs(ApplicationSettings(namespace="on"), authentication=True, backups=True)
    assert job["names"] == ["on"]


def test_a_password_is_sent_to_those_who_ask_for_one(tmp_path: Path) -> None:
    logins = {name: job["basic_auth"] for name, job in by_name().items() if "basic_auth" in job}
    assert logins.keys() == {"prometheus", "alertmanager"}
    releases = run("prod", tmp_path).of_type("kubernetes:helm.sh/v3:Release")
    (values,) = [release.inputs["values"] for release in releases if release.name == "prometheus"]
    mounted = [mount["mountPath"] for mount in values["server"]["extraSecretMounts"]]
    for login in logins.values():
        assert login["username"] == WEB_USER
        assert str(Path(login["password_file"]).parent) in mounted
    without = by_name(authentication=False)
    assert not [name for name, job in without.items() if "basic_auth" in job]
    assert without.keys() == by_name().keys()


def test_a_login_of_another_kind_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    login = {"username": "reader", "password_file": "/etc/prometheus/shop/password"}
    job = {"job_name": "shop", "basic_auth": login, "kubernetes_sd_configs": [{"role": "pod"}]}
    (tmp_path / "shop.yml").write_text(yaml.safe_dump({"scrape_configs": [job]}))
    monkeypatch.setattr(scrape_jobs, "SCRAPE", tmp_path)
    assert by_name(authentication=False) == {"shop": job}


def test_what_a_stack_has_not_is_not_scraped() -> None:
    assert by_name().keys() - by_name(backups=False).keys() == {"backup"}


def test_what_targets_that_are_not_ours_may_show_is_limited_as_the_runbook_says() -> None:
    ours = {"monitoring", "monitoring-agents", "default"}
    limits = {"sample_limit": 20000, "label_limit": 40, "label_value_length_limit": 512, "body_size_limit": "20MB"}
    for name, job in by_name().items():
        (discovery,) = job["kubernetes_sd_configs"]
        anywhere = discovery["role"] != "node" and "namespaces" not in discovery
        of_others = anywhere or not ours.issuperset(discovery.get("namespaces", {}).get("names", []))
        found = {key: value for key, value in job.items() if key.endswith("_limit")}
        assert found == (limits if of_others else {}), name
    runbook = (SCRAPE.parent / "docs" / "runbooks" / "prometheus-scrape-limit-hit.md").read_text()
    for words in ("20000 samples", "40\nlabels", "512 bytes", "20 MB"):
        assert words in runbook
