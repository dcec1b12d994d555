"""`make charts-check`: which values count as ignored, which differences are meant, and what is said of the others."""

import json
import sys
from pathlib import Path

import pytest

from components.foundation.chart_pins import Chart
from development import charts_check
from development.charts_check import Release, ignored_values
from development.stand_in_diff import Difference, Meant
from operations.helm import helm


@pytest.mark.built
def test_a_value_that_a_chart_does_not_know_is_found(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 1.0.0\n")
    (tmp_path / "values.yaml").write_text("replicas: 1\ndead: 1\n")
    (tmp_path / "templates" / "all.yaml").write_text(
        "metadata:\n  name: {{ .Values.name | default .Release.Name }}\nspec:\n  replicas: {{ .Values.replicas }}\n"
        "  labels: {{ .Values.labels | toJson }}\n"
    )
    values = {"replicas": 1, "name": "small", "labels": {"a": ["b"], "c": True}, "dead": 1, "typo": {"deep": []}}
    ignored = ignored_values(Release("local", "small", "small", "default", values), tmp_path)
    assert ignored == [("dead",), ("typo", "deep")]


@pytest.mark.parametrize(
    ("official", "stand_in", "said"),
    [
        (65534, 472, "is 65534, in the stand-in 472"),
        (65534, None, "is 65534, in the stand-in left out"),
        (None, {"a": True}, 'is left out, in the stand-in {"a": true}'),
        (["--one=1", "--two=2"], ["--one=1", "--three=3"], 'has ["--two=2"], in the stand-in instead ["--three=3"]'),
        (["a", "b"], ["b", "a"], 'is ["a", "b"], in the stand-in ["b", "a"]'),
    ],
)
def test_a_difference_is_told_by_its_two_values(official: object, stand_in: object, said: str) -> None:
    assert str(Difference("Role here/one", "rules", official, stand_in)) == f"Role here/one: rules {said}"


EXCUSED = Meant("ConfigMap here/one *", "data.one.*", "written in another form")


def test_an_exception_is_for_a_value_and_not_for_a_field_that_is_missing() -> None:
    where = "ConfigMap here/one (v1)", "data.one.ini"
    assert EXCUSED.covers(Difference(*where, "a = 1", "a=1"))
    for missing in (Difference(*where, None, "a=1"), Difference(*where, "a = 1", None)):
        assert not EXCUSED.covers(missing)


def test_an_exception_is_for_its_object_and_field_alone() -> None:
    for where in (
        ("ConfigMap here/two (v1)", "data.one.ini"),
        ("ConfigMap here/one (v1)", "data.two.ini"),
        ("Secret here/one (v1)", "data.one.ini"),
    ):
        assert not EXCUSED.covers(Difference(*where, "a = 1", "a=1"))


SMALL = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: one, namespace: here}
spec:
  replicas: {{ .Values.replicas }}
  template:
    metadata: {annotations: {checksum/config: abc}}
    spec: {securityContext: {fsGroup: 65534}}
"""


class Charts:
    """One official chart, packed, and its stand-in."""

    def __init__(self, folder: Path) -> None:
        self.official, self.stand_ins = folder / "official", folder / "stand-ins"
        for chart in (folder / "small", self.stand_ins / "small"):
            (chart / "templates").mkdir(parents=True)
            (chart / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 1.0.0\n")
            (chart / "templates" / "all.yaml").write_text(SMALL)
        helm("package", "--destination", str(self.official), str(folder / "small"))
        self.releases = [Release("prod", "one", "small", "here", {"replicas": 2})]

    def publish(self, old: str, new: str) -> None:
        """Replace a text in the official chart, and pack it anew."""
        file = self.stand_ins.parent / "small" / "templates" / "all.yaml"
        assert file.read_text().count(old) == 1
        file.write_text(file.read_text().replace(old, new))
        helm("package", "--destination", str(self.official), str(self.stand_ins.parent / "small"))

    def stand_in(self, old: str, new: str) -> None:
        """Replace a text in the stand-in."""
        file = self.stand_ins / "small" / "templates" / "all.yaml"
        assert file.read_text().count(old) == 1
        file.write_text(file.read_text().replace(old, new))

    def problems(self, *exceptions: Meant) -> list[str]:
        """Check, and return what is said of each problem."""
        found = charts_check.check(self.releases, self.official, exceptions)
        return [f"{one.release} ({one.stack}): {one.text}" for one in found]


@pytest.fixture
def charts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Charts:
    pins = {"small": Chart("https://example.com", "1.0.0")}
    monkeypatch.setattr("components.foundation.chart_pins.PINS", pins)
    monkeypatch.setattr(charts_check, "PINS", pins)
    charts = Charts(tmp_path)
    monkeypatch.setattr(charts_check, "STAND_INS", charts.stand_ins)
    return charts


@pytest.mark.built
def test_a_stand_in_that_makes_the_same_is_right(charts: Charts, capsys: pytest.CaptureFixture[str]) -> None:
    assert charts.problems() == []
    assert "1 of 1 values matter, 1 objects with 0 differences in the stand-in" in capsys.readouterr().err


@pytest.mark.built
def test_a_difference_is_a_problem_unless_it_is_meant(charts: Charts) -> None:
    charts.stand_in("checksum/config: abc", "checksum/config: def")
    charts.stand_in("fsGroup: 65534", "fsGroup: 472")
    reason = "a hash of the chart's own text"
    meant = Meant("StatefulSet here/one *", "spec.template.metadata.annotations.checksum/config", reason)
    found = charts.problems(meant)
    assert found == [
        "one (prod): StatefulSet here/one (apps/v1): spec.template.spec.securityContext.fsGroup is 65534, "
        "in the stand-in 472"
    ]
    assert len(charts.problems()) == 2


@pytest.mark.built
def test_an_exception_that_excuses_nothing_is_a_problem(charts: Charts) -> None:
    (found,) = charts.problems(EXCUSED)
    assert "data.one.* of ConfigMap here/one * (written in another form). Take it away" in found


@pytest.mark.built
def test_a_stand_in_that_does_not_take_the_values_is_a_problem(charts: Charts) -> None:
    (charts.stand_ins / "small" / "values.schema.json").write_text(json.dumps({"additionalProperties": False}))
    (found,) = charts.problems()
    assert found.startswith("one (prod): the stand-in: ")
    assert "replicas" in found


@pytest.mark.built
def test_what_the_official_charts_make_can_be_had_for_other_checks(charts: Charts) -> None:
    charts.stand_in("fsGroup: 65534", "fsGroup: 472")
    ((release, official),) = charts_check.rendered(charts.releases, charts.official)
    assert (release.name, list(official)) == ("one", ["StatefulSet here/one (apps/v1)"])
    assert official["StatefulSet here/one (apps/v1)"]["spec"]["template"]["spec"] == {
        "securityContext": {"fsGroup": 65534}
    }


@pytest.mark.built
@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_line_says_what_is_wrong_and_fails(
    charts: Charts, as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    charts.stand_in("fsGroup: 65534", "fsGroup: 472")
    monkeypatch.setattr(charts_check, "registered", lambda _: (charts.releases, []))
    monkeypatch.setattr(charts_check, "broken_rules", lambda *_: [])
    monkeypatch.setattr(charts_check, "MEANT", ())
    monkeypatch.setattr(
        sys, "argv", ["charts-check", "--charts", str(charts.official), *(["--json"] if as_json else [])]
    )
    assert charts_check.main() == 1
    said = capsys.readouterr().out
    if as_json:
        result = json.loads(said)
        (problem,) = result["problems"]
        assert (result["releases"], problem["stack"], problem["release"]) == (1, "prod", "one")
    assert "securityContext.fsGroup is 65534, in the stand-in 472" in said


@pytest.mark.built
def test_a_rule_that_the_official_charts_or_our_objects_break_is_a_problem(charts: Charts) -> None:
    """A stand-in that breaks it too shows no difference."""
    may = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
    metadata = {"name": "one", "namespace": "here"}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": may}
    charts.publish("spec: {securityContext: {fsGroup: 65534}}", "spec: {containers: [{name: one, image: unheard-of}]}")
    said = [str(problem) for problem in charts_check.broken_rules(charts.releases, [role], charts.official)]
    assert any("unknown-image" in text for text in said), said
    assert any("gives-nothing" in text for text in said), said
