"""Settings: what is accepted, and what is refused with which words."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin
from unittest.mock import patch

import pulumi
import pytest
import yaml
from pydantic import BaseModel, BeforeValidator

from components.foundation.kubernetes_secrets import web_config
from components.settings import PROJECT, Settings, SettingsError, kubeconfig, of_project, read_file, read_stack, secrets
from components.settings.application import ApplicationSettings
from components.settings.foundation import ClusterSettings
from components.settings.types import Cidr, prometheus_bytes, to_bytes
from tests.offline import ROOT, STACKS, configuration

SMALL = {"cpu": "1", "memory": "1Gi"}
DOMAIN = {"name": "monitoring.example.com", "zoneId": "Z0123456789ABCDEFGHIJ"}
CERTIFICATE = "arn:aws:acm:ap-southeast-1:111122223333:certificate/1349f442"
ON_NODES = {"loadBalancer": "nodePort", "nodeAddress": "node-1.example.com"}
AWS = {"accountId": "111122223333", "oidcIssuer": "oidc.eks.ap-southeast-1.amazonaws.com/id/A1"}
CLUSTER = {"name": "c", "region": "r", "context": "x", "server": "https://x"}
ROLE = "arn:aws:iam::111122223333:role/writer"
WORKSPACE = "https://aps-workspaces.eu-west-2.amazonaws.com/workspaces/ws-1/api/v1/remote_write"


def refused(tmp_path: Path, **config: Any) -> str:
    """Return the error about a stack file with these top-level keys."""
    file = tmp_path / "Pulumi.test.yaml"
    values = {f"{PROJECT}:{key}": value for key, value in {"cluster": CLUSTER, **config}.items()}
    file.write_text(yaml.safe_dump({"config": values}))
    with pytest.raises(SettingsError) as error:
        read_file(file)
    return str(error.value)


def store(**settings: Any) -> dict[str, Any]:
    """Return the settings of a long-term store."""
    return {"prometheus": {"remoteWrite": {"url": "https://store", **settings}}}


@pytest.mark.parametrize("stack", STACKS)
def test_the_committed_stacks_are_right_and_short(stack: str) -> None:
    file = ROOT / f"Pulumi.{stack}.yaml"
    assert read_file(file).cluster.name == f"mangakai-{stack}"
    assert len(file.read_text().splitlines()) < 80
    assert "secretsprovider" not in file.read_text()


def test_numbers_are_numbers_as_pulumi_writes_them_too() -> None:
    """`pulumi config set --path` keeps a number with a point as text."""
    settings = ApplicationSettings.model_validate({"openTelemetry": {"sampleRatio": "0.25"}})
    assert settings.open_telemetry.sample_ratio == 0.25


def test_digits_are_texts_as_pulumi_writes_them_too() -> None:
    """`pulumi config set --path` keeps a whole number as one, also where a text is meant."""
    values = {
        "cluster": CLUSTER,
        "aws": {**AWS, "accountId": 111122223333, "tags": {"costCenter": 4711}},
        "application": {"sentry": {"release": 20260131}},
        "grafana": {"resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": 2, "memory": "1Gi"}}},
    }
    settings = Settings.model_validate(values)
    assert settings.aws is not None
    assert (settings.aws.account_id, settings.aws.tags) == ("111122223333", {"costCenter": "4711"})
    assert settings.application.sentry.release == "20260131"
    assert settings.grafana.resources.manifest()["limits"]["cpu"] == "2"


def takes_no_digits(annotation: Any, metadata: Iterable[Any] = ()) -> Iterator[Any]:
    """Yield what in the type of a setting is a text, but not `Text`."""
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
    if annotation is str and not any(isinstance(one, BeforeValidator) for one in metadata):
        yield annotation
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from ((name, found) for found in takes_no_digits(field.annotation, field.metadata))
    else:
        keys = 1 if get_origin(annotation) is dict else 0
        for inner in get_args(annotation)[keys:]:
            yield from takes_no_digits(inner)


def test_every_text_may_be_digits() -> None:
    assert list(takes_no_digits(dict[str, Cidr | None])) == []
    assert list(takes_no_digits(list[str] | None)) == [str]
    assert list(takes_no_digits(Settings)) == []


def test_keys_of_providers_and_of_pulumi_are_not_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    config = {f"{PROJECT}:cluster": CLUSTER, "aws:profile": "x", "kubernetes:context": "y", "pulumi:tags": {"a": "b"}}
    file.write_text(yaml.safe_dump({"config": config}))
    assert read_file(file).cluster.name == CLUSTER["name"]


def test_a_key_without_a_project_is_of_this_one() -> None:
    assert of_project({"grafana": 1, f"{PROJECT}:logs": 2, "aws:region": 3}) == {"grafana": 1, "logs": 2}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            {"aws": {**AWS, "tags": {"on": True}}},
            "aws.tags.on: found True; input should be a valid string. As text: "
            "pulumi config set --path --type string mangakai-monitoring:aws.tags.on <value>",
        ),
        ({"aws": {**AWS, "accountId": 1111}}, "aws.accountId: found '1111'; 12 digits, in quotes where the first one"),
        (
            {"grafana": {"resources": {"requests": {"cpu": 1.5, "memory": "1Gi"}}}},
            "cpu: found 1.5; input should be a valid string. As text: pulumi config set --path --type string",
        ),
        ({"prometheus": {"retention": "5x"}}, "prometheus.retention: found '5x'; a Prometheus duration such as 15d"),
        ({"prometheus": {"replicas": "two"}}, "prometheus.replicas: found 'two'; input should be a valid integer"),
        ({"prometheus": {"retentionSize": "95GB"}}, "retentionSize 95GB must be at most 85 % of storage 100Gi"),
        ({"prometheus": {"storag": "1Gi"}}, "prometheus.storag: unknown key; allowed here: remoteWrite, replicas"),
        ({"prometheus": {"remoteWrite": {}}}, "prometheus.remoteWrite.url: missing. Set it: pulumi config set --path"),
        (store(url="https://u:p@store"), "remoteWrite.url: found 'https://u:p@store'; an https:// address without a"),
        (store(), "prometheus.remoteWrite: nothing says how Prometheus logs in: username, with the secret"),
        (store(username="u", roleArn=ROLE), "username is basic auth, and roleArn means signed requests: remove one"),
        (store(username="u", url=WORKSPACE), "username is basic auth, and a workspace of Amazon Managed Service"),
        (
            store(url=WORKSPACE.removesuffix("/api/v1/remote_write")),
            "or the whole url of a workspace of Amazon Managed",
        ),
        (store(roleArn="r"), "prometheus.remoteWrite.roleArn: found 'r'; the ARN of an IAM role is allowed"),
        (
            store(roleArn=ROLE),
            "prometheus.remoteWrite: requests without a username are signed by a role of the account",
        ),
        ({"backup": {"retentionDays": 7}}, "backup: the bucket is made in the account that aws.accountId names"),
        (store(username="u", keep="(up"), "keep: found '(up'; a regular expression such as up|http_.+ is allowed"),
        *(
            (store(username="u", keep=keep), f"keep: found {keep!r}; a regular")
            for keep in ("a(?=b)", "a++", "\\d", "")
        ),
        (store(username="u", maxShards=0), "prometheus.remoteWrite.maxShards: found 0; input should be greater"),
        ({"promtheus": {}}, "promtheus: unknown key; allowed here: alertmanager"),
        (
            {"exposure": {"sourceRanges": ["10.0.0.0/99"]}},
            "exposure.sourceRanges.0: found '10.0.0.0/99'; an IP",
        ),
        ({"network": {"nodes": []}}, "network.nodes: found []; list should have at least 1 item"),
        ({"network": {"outside": ["10.0.0.1/8"]}}, "network.outside.0: found '10.0.0.1/8'; an IP network"),
        (
            {"network": {"policies": False, "application": True}},
            "network: application makes a policy, and policies is false",
        ),
        *(
            ({"logs": {"filebeat": {"paths": [path]}}}, f"logs.filebeat.paths.0: found '{path}'; a path below a folder")
            for path in ["/app.log", "/*/app.log", "/*.log", "/v?r/log/app.log", "var/log/app.log", "/"]
        ),
        ({"exposure": {"scheme": "internet-facing"}}, "exposure: scheme internet-facing needs sourceRanges that name"),
        (
            {"logs": {"kibana": {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}}},
            "logs.kibana: resources.limits.memory may not be below 2Gi, where Kibana 9 crashes: it is 1Gi",
        ),
        (
            {"exposure": {"scheme": "internet-facing", "sourceRanges": ["0.0.0.0/0"]}},
            "without them anyone on the internet may try the login",
        ),
        (
            {"exposure": {"scheme": "internet-facing", "sourceRanges": ["203.0.113.0/24"], "authentication": False}},
            "scheme internet-facing needs authentication: true",
        ),
        (
            {"exposure": {**ON_NODES, "sourceRanges": ["10.0.0.0/8"]}},
            "exposure: sourceRanges needs a load balancer: a nodePort is open to whoever reaches the node",
        ),
        (
            {"exposure": {**ON_NODES, "certificateArn": CERTIFICATE}},
            "exposure: certificateArn needs a load balancer",
        ),
        ({"exposure": {"loadBalancer": "nodePort", "domain": DOMAIN}}, "exposure: domain needs loadBalancer aws"),
        (
            {"cluster": {**CLUSTER, "elasticWebhook": True, "admissionWebhooks": False}},
            "cluster: elasticWebhook needs admissionWebhooks",
        ),
        ({"exposure": {"loadBalancer": "nodePort"}}, "exposure: loadBalancer nodePort needs nodeAddress"),
        ({"exposure": {**ON_NODES, "authentication": False}}, "loadBalancer nodePort needs authentication: true"),
        ({"exposure": {**ON_NODES, "scheme": "internet-facing"}}, "scheme internet-facing needs a load balancer"),
        (
            {"exposure": {"nodeAddress": "node"}},
            "nodeAddress is for loadBalancer nodePort, found beside aws",
        ),
        (
            {"exposure": {"loadBalancer": "nodePort", "nodeAddress": "http://node"}},
            "exposure.nodeAddress: found 'http://node'; the name or IPv4 address of a node is allowed",
        ),
        (
            {"exposure": {"domain": DOMAIN}},
            "- exposure.domain: its certificate and records are made in the account that aws.accountId names",
        ),
        (
            {"exposure": {"domain": DOMAIN, "certificateArn": CERTIFICATE}},
            "exposure: domain brings a certificate of its own: remove certificateArn, or domain",
        ),
        ({"exposure": {"domain": DOMAIN, "loadBalancer": "generic"}}, "exposure: domain needs loadBalancer aws"),
        (
            {"exposure": {"domain": {"name": "https://monitoring.example.com"}}},
            "exposure.domain.name: found 'https://monitoring.example.com'; a domain such as monitoring.example.com",
        ),
        (
            {"exposure": {"domain": {**DOMAIN, "name": f"{'m' * 60}.example.com"}}},
            "string should have at most 62 characters",
        ),
        ({"exposure": {"domain": {"name": "a.example.com"}}}, "exposure.domain.zoneId: missing. Set it: pulumi config"),
        (
            {"application": {"openTelemetry": {"sampleRatio": "1.5"}}},
            "application.openTelemetry.sampleRatio: found '1.5'; input should be less than or equal to 1",
        ),
        (
            {"application": {"openTelemetry": {"slowSeconds": 0}}},
            "application.openTelemetry.slowSeconds: found 0; input should be greater than 0",
        ),
        (
            {"application": {"openTelemetry": {"sampleRatio": "all"}}},
            "application.openTelemetry.sampleRatio: found 'all'; input should be a valid number",
        ),
        ({"alertmanager": {"replicas": 2}}, "alertmanager.replicas: found 2; an odd number is allowed"),
        ({"logs": {"elasticsearch": {"nodes": 4}}}, "logs.elasticsearch.nodes: found 4; an odd number is allowed"),
        ({"alertmanager": {"teamEmail": "team"}}, "alertmanager.teamEmail: found 'team'; an e-mail address"),
        ({"storage": {"keepData": "yes"}}, "storage.keepData: found 'yes'; input should be a valid boolean"),
        (
            {"traces": {"certManager": "maybe"}},
            "traces.certManager: found 'maybe'; input should be 'existing'",
        ),
        ({"aws": {"accountId": "111122223333"}}, "aws.oidcIssuer: missing. Set it: pulumi config set --path"),
        ({"grafana": "big"}, "grafana: found 'big'; "),
        (
            {
                "grafana": {
                    "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
                }
            },
            "limits.memory may not be below requests.memory",
        ),
    ],
)
def test_wrong_settings_are_named_with_the_remedy(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    assert words in refused(tmp_path, **config)


def test_all_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    message = refused(tmp_path, prometheus={"retention": "5x"}, alertmanager={"replicas": 2}, unknown={"a": 1})
    assert message.startswith("3 settings are wrong in stack test (nothing was registered):")


def test_an_internet_facing_stack_with_networks_and_login_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    exposure = {"scheme": "internet-facing", "sourceRanges": ["203.0.113.0/24"]}
    file.write_text(yaml.safe_dump({"config": {f"{PROJECT}:cluster": CLUSTER, f"{PROJECT}:exposure": exposure}}))
    assert read_file(file).exposure.source_ranges == ["203.0.113.0/24"]


@pytest.mark.parametrize(
    ("exposure", "admitted"),
    [
        ({}, ["10.0.0.0/8"]),
        ({"sourceRanges": ["192.168.0.0/16"]}, ["192.168.0.0/16"]),
        ({"loadBalancer": "generic"}, None),
        ({"loadBalancer": "nodePort", "nodeAddress": "node-1.example.com"}, None),
        ({"loadBalancer": "generic", "sourceRanges": ["192.168.0.0/16"]}, ["192.168.0.0/16"]),
    ],
)
def test_only_load_balancers_of_aws_are_shut_unless_the_stack_says_so(
    tmp_path: Path, exposure: dict[str, Any], admitted: list[str] | None
) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(yaml.safe_dump({"config": {f"{PROJECT}:cluster": CLUSTER, f"{PROJECT}:exposure": exposure}}))
    assert read_file(file).exposure.admitted == admitted


def test_a_missing_stack_is_told_with_those_that_exist() -> None:
    with pytest.raises(SettingsError, match=r"Pulumi.qa.yaml does not exist; there are: kind, local, prod, staging"):
        read_file(ROOT / "Pulumi.qa.yaml")


class TestReadStack:
    """What the program itself reads, from the engine."""

    @pytest.fixture(autouse=True)
    def _kubeconfig(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        write_kubeconfig(tmp_path / "config", "https://prod.example.com")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    @staticmethod
    def error(values: dict[str, str], secret: list[str]) -> str:
        pulumi.runtime.set_all_config(values, secret)
        with patch("pulumi.get_stack", return_value="prod"), pytest.raises(SettingsError) as error:
            read_stack()
        return str(error.value)

    def test_missing_and_plain_secrets_are_named_with_the_command(self) -> None:
        values = configuration("prod")
        del values[f"{PROJECT}:slackApiUrl"]
        secret = [f"{PROJECT}:{key}" for key in secrets.PURPOSES if key != "sentryDsn"]
        message = self.error(values, secret)
        assert "slackApiUrl: missing (incoming webhook" in message
        assert "pulumi config set --stack prod --secret slackApiUrl" in message
        assert "sentryDsn: stored in clear text in Pulumi.prod.yaml" in message

    @pytest.mark.parametrize("dsn", ["https://your-dsn@sentry.io/project-id", "https://sentry.io/1", "no dsn"])
    def test_a_dsn_that_sentry_would_refuse_is_refused_here(self, dsn: str) -> None:
        values = configuration("prod", {"prometheus": {"x": 1}}) | {f"{PROJECT}:sentryDsn": dsn}
        message = self.error(values, [f"{PROJECT}:{key}" for key in secrets.PURPOSES])
        assert "sentryDsn: no DSN. Allowed is https://<key>@<host>/<number>" in message
        assert dsn not in message

    @pytest.mark.parametrize(
        ("key", "value", "words"),
        [
            (
                "webPassword",
                "x" * 73,
                "webPassword: found 73 characters, 73 bytes. Allowed are 8 characters or",
            ),
            ("webPassword", "密" * 25, "webPassword: found 25 characters, 75 bytes. Allowed are"),
            ("webPassword", "1234567", "webPassword: found 7 characters, 7 bytes. Allowed are"),
            ("webPassword", "12345\x00678", "webPassword: found 9 characters, 9 bytes. Allowed are"),
            ("internalSeed", "x" * 15, "internalSeed: found 15 characters. Allowed are 16 or more"),
        ],
    )
    def test_a_secret_that_is_too_short_or_too_long_is_refused_and_not_shown(
        self, key: str, value: str, words: str
    ) -> None:
        values = configuration("prod", {"prometheus": {"x": 1}}) | {f"{PROJECT}:{key}": value}
        message = self.error(values, [f"{PROJECT}:{key}" for key in secrets.PURPOSES])
        assert words in message
        assert f"Set it: pulumi config set --stack prod --secret {key}" in message
        assert value not in message

    @pytest.mark.parametrize("value", ["x" * 72, "密" * 24, "12345678"])
    def test_what_bcrypt_reads_is_accepted(self, value: str) -> None:
        web_config(value)
        values = configuration("prod", {"prometheus": {"x": 1}}) | {f"{PROJECT}:webPassword": value}
        assert "webPassword" not in self.error(values, [f"{PROJECT}:{key}" for key in secrets.PURPOSES])

    def test_a_password_that_nobody_needs_is_not_looked_at(self) -> None:
        settings = {"exposure": {"loadBalancer": "generic", "authentication": False}}
        values = configuration("prod", settings) | {f"{PROJECT}:webPassword": "x"}
        assert "webPassword" not in self.error(values, [f"{PROJECT}:{key}" for key in secrets.PURPOSES])

    def test_no_dsn_is_no_mistake(self) -> None:
        values = configuration("prod", {"prometheus": {"x": 1}})
        del values[f"{PROJECT}:sentryDsn"]
        assert "sentryDsn" not in self.error(values, [f"{PROJECT}:{key}" for key in secrets.PURPOSES])

    @pytest.mark.parametrize(("settings", "needed"), [({"username": "u"}, True), ({"url": WORKSPACE}, False)])
    def test_the_password_of_the_store_is_needed_where_there_is_a_login(
        self, settings: dict[str, str], needed: bool
    ) -> None:
        values = configuration("prod", store(**settings))
        del values[f"{PROJECT}:remoteWritePassword"], values[f"{PROJECT}:slackApiUrl"]
        message = self.error(values, [f"{PROJECT}:{key}" for key in secrets.PURPOSES])
        assert ("remoteWritePassword: missing (password of prometheus.remoteWrite.username" in message) is needed

    def test_another_cluster_is_refused_beside_the_other_mistakes(self) -> None:
        values = configuration("prod", {"cluster": {**CLUSTER, "context": "mangakai-prod"}, "prometheus": {"x": 1}})
        del values[f"{PROJECT}:slackApiUrl"], values[f"{PROJECT}:webPassword"]
        message = self.error(values, [f"{PROJECT}:{key}" for key in secrets.PURPOSES])
        assert "slackApiUrl: missing (incoming webhook" in message
        assert "webPassword: missing (password of the user monitoring" in message
        assert (
            "context 'mangakai-prod' leads to https://prod.example.com, but this stack belongs to https://x" in message
        )
        assert "prometheus.x: unknown key" in message


def write_kubeconfig(path: Path, server: str) -> None:
    """Write a kubeconfig whose context mangakai-prod leads to `server`."""
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "k", "cluster": {"server": server}}],
                "contexts": [{"name": "mangakai-prod", "context": {"cluster": "k", "user": "u"}}],
                "users": [{"name": "u", "user": {}}],
            }
        )
    )


def test_the_kubeconfig_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "config", "https://right")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    def cluster(context: str, server: str) -> ClusterSettings:
        return ClusterSettings(name="c", region="r", context=context, server=server)

    assert kubeconfig.problems(cluster("mangakai-prod", "https://right")) == []
    assert "leads to https://right" in kubeconfig.problems(cluster("mangakai-prod", "https://wrong"))[0]
    assert "has no context 'other'; it has: mangakai-prod" in kubeconfig.problems(cluster("other", "https://right"))[0]
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert "it has: none" in kubeconfig.problems(cluster("mangakai-prod", "https://right"))[0]


def test_the_first_kubeconfig_that_has_a_name_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "first", "https://first")
    write_kubeconfig(tmp_path / "second", "https://second")
    paths = [str(tmp_path / name) for name in ("none", "first", "second")]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(paths))
    settings = ClusterSettings(name="c", region="r", context="mangakai-prod", server="https://first")
    assert kubeconfig.problems(settings) == []


@pytest.mark.parametrize(
    "text",
    [
        "", "a text", "- a list", "{", "contexts: 1", "contexts: [1]", "contexts: [{name: mangakai-prod}]",
        "contexts: [{name: mangakai-prod, context: {}}]", "contexts: [{name: mangakai-prod, context: {cluster: k}}]",
        "{contexts: [{name: mangakai-prod, context: {cluster: k}}], clusters: [{name: k}]}",
    ],
)  # fmt: skip
def test_a_broken_kubeconfig_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    settings = ClusterSettings(name="c", region="r", context="mangakai-prod", server="https://right")
    (problem,) = kubeconfig.problems(settings)
    assert problem.startswith("cluster.context: the kubeconfig cannot be read (")


def test_units() -> None:
    assert prometheus_bytes("85GB") == 85 * 2**30
    assert prometheus_bytes("512B") == 512
    assert to_bytes("2Gi") == 2**31
    assert to_bytes("500m") == 0.5
