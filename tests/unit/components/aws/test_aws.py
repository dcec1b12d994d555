"""What the stacks may do in AWS, and the domain."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.aws.roles import remote_write_statements, role_name
from components.foundation.names import BACKUP_PARTS
from components.settings.metrics import RemoteWriteSettings
from tests.offline import Run, run

ISSUER = {
    "staging": "oidc.eks.ap-southeast-1.amazonaws.com/id/STAGINGOIDCID",
    "prod": "oidc.eks.ap-southeast-1.amazonaws.com/id/PRODOIDCID",
}
DOMAIN = {"name": "monitoring.example.com", "zoneId": "Z0123456789ABCDEFGHIJ"}
WORKSPACE = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
ROLE = "arn:aws:iam::444455556666:role/writer"
OTHER_KEY = "arn:aws:kms:ap-southeast-1:111122223333:key/1147fa16-82de-478f-ba3b-ae20900b5590"
LOAD_BALANCER = "service.beta.kubernetes.io/aws-load-balancer-"


@pytest.fixture(scope="module", params=ISSUER)
def name(request: pytest.FixtureRequest) -> str:
    stack: str = request.param
    return stack


@pytest.fixture(scope="module")
def stack(name: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(name, tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = {"exposure": {"domain": DOMAIN, "jaeger": True}, "prometheus": {"remoteWrite": {"url": WORKSPACE}}}
    return run("prod", tmp_path_factory.mktemp("domain"), settings)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = {"backup": {"otherBucket": {"name": "lost-bucket", "keyArn": OTHER_KEY}}}
    return run("prod", tmp_path_factory.mktemp("other"), settings)


def statements(stack: Run, part: str) -> list[dict[str, Any]]:
    """Return what the role of a part is allowed."""
    (policy,) = (each for each in stack.of_type("aws:iam/rolePolicy:RolePolicy") if each.name == part)
    return list(json.loads(policy.inputs["policy"])["Statement"])


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_each_part_has_a_role_that_only_its_service_account_takes(name: str, stack: Run) -> None:
    roles = {role.name: role for role in stack.of_type("aws:iam/role:Role")}
    assert roles.keys() == {*BACKUP_PARTS}
    for part, role in roles.items():
        assert role.inputs["name"] == f"mangakai-{name}-monitoring-{part}"
        (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert statement == {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{ISSUER[name]}"},
            "Condition": {
                "StringEquals": {
                    f"{ISSUER[name]}:sub": f"system:serviceaccount:monitoring:{part}",
                    f"{ISSUER[name]}:aud": "sts.amazonaws.com",
                }
            },
        }


@pytest.mark.parametrize("part", BACKUP_PARTS)
def test_a_role_reaches_its_prefix_and_nothing_else(stack: Run, part: str) -> None:
    (policy,) = stack.of_type("aws:s3/bucketPolicy:BucketPolicy")
    bucket = f"arn:aws:s3:::{policy.inputs['bucket']}"
    for statement in statements(stack, part):
        actions, condition = set(as_list(statement["Action"])), statement.get("Condition")
        if statement["Sid"] == "Objects":
            assert statement["Resource"] == f"{bucket}/{part}/*"
            assert actions <= {
                *("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
                *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
            }
        elif "s3:ListBucket" in actions:
            assert actions == {"s3:ListBucket"}
            assert statement["Resource"] == bucket
            assert condition == {"StringLike": {"s3:prefix": [part, f"{part}/*"]}}
        elif statement["Resource"] == bucket:
            assert actions <= {"s3:GetBucketLocation", "s3:ListBucketMultipartUploads"}
        else:
            assert actions == {"kms:Decrypt", "kms:GenerateDataKey"}
            assert statement["Resource"].startswith("arn:aws:kms:ap-southeast-1:111122223333:key/")
            assert condition == {"StringEquals": {"kms:ViaService": "s3.ap-southeast-1.amazonaws.com"}}


@pytest.mark.parametrize("part", BACKUP_PARTS)
def test_the_bucket_of_another_stack_is_read_and_not_written(other: Run, part: str) -> None:
    of_other = [each for each in statements(other, part) if each["Sid"].startswith("Other")]
    actions = {action for statement in of_other for action in as_list(statement["Action"])}
    assert actions == {"s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject", "kms:Decrypt"}
    by_sid = {statement["Sid"]: statement for statement in of_other}
    assert by_sid["OtherObjects"]["Resource"] == f"arn:aws:s3:::lost-bucket/{part}/*"
    assert by_sid["OtherList"]["Condition"] == {"StringLike": {"s3:prefix": [part, f"{part}/*"]}}
    assert by_sid["OtherKeyThroughS3"]["Resource"] == OTHER_KEY
    assert by_sid["OtherKeyThroughS3"]["Condition"]["StringEquals"] == {
        "kms:ViaService": "s3.ap-southeast-1.amazonaws.com"
    }


def test_nothing_allows_everything(domain: Run, stack: Run, other: Run) -> None:
    for resource in (*domain.resources, *stack.resources, *other.resources):
        # The key's own policy hands it to the account's IAM, as AWS' default does; its * is the key itself.
        if resource.type == "aws:kms/key:Key" or not resource.type.startswith("aws:"):
            continue
        for document in (resource.inputs[key] for key in ("policy", "assumeRolePolicy") if key in resource.inputs):
            for statement in json.loads(document)["Statement"]:
                if statement["Effect"] == "Allow":
                    assert not any("*" in action for action in as_list(statement["Action"]))
                    assert not {"*", "arn:aws:s3:::*"} & {*as_list(statement.get("Resource"))}
                    assert statement.get("Principal") != "*"


def test_old_versions_go_and_current_objects_stay(name: str, stack: Run) -> None:
    (lifecycle,) = stack.of_type("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
    (rule,) = lifecycle.inputs["rules"]
    assert rule == {
        "id": "superseded",
        "status": "Enabled",
        "filter": {},
        "noncurrentVersionExpiration": {"noncurrentDays": 30},
        "expiration": {"expiredObjectDeleteMarker": True},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
    }
    assert lifecycle.retain_on_delete is (name == "prod")
    (bucket,) = stack.of_type("aws:s3/bucket:Bucket")
    assert bucket.inputs["forceDestroy"] is not bucket.retain_on_delete, "a destroy stops at a bucket that is not empty"


@pytest.mark.parametrize("part", BACKUP_PARTS)
def test_names_of_roles_fit_and_differ(part: str) -> None:
    assert role_name("mangakai-prod", part) == f"mangakai-prod-monitoring-{part}"
    long = [role_name(f"{'c' * 62}{end}", part) for end in "ab"]
    assert [len(each) for each in long] == [64, 64]
    assert len({*long}) == 2
    assert all(each.endswith(f"-monitoring-{part}") for each in long)


def remote_write(**settings: str) -> list[dict[str, Any]]:
    return remote_write_statements("111122223333", RemoteWriteSettings.model_validate(settings))


def test_prometheus_may_write_to_its_store_only(domain: Run, stack: Run) -> None:
    workspace = "arn:aws:aps:eu-west-1:111122223333:workspace/ws-1"
    (allowed,) = remote_write(url=WORKSPACE)
    assert (allowed["Action"], allowed["Resource"]) == ("aps:RemoteWrite", workspace)
    (taken,) = remote_write(url=WORKSPACE, roleArn=ROLE)
    assert (taken["Action"], taken["Resource"]) == ("sts:AssumeRole", ROLE)
    assert remote_write(url="https://mimir.example.com/api/v1/push", username="monitoring") == []
    assert remote_write_statements("111122223333", None) == []
    assert allowed in statements(domain, "prometheus")
    assert len(statements(stack, "prometheus")) == len(statements(domain, "grafana")) == 4


def test_a_domain_gives_each_endpoint_a_name_and_a_certificate(domain: Run) -> None:
    parts = {"prometheus": 9090, "alertmanager": 9093, "grafana": 3000, "kibana": 5601, "jaeger": 16686}
    assert {part: domain.outputs[f"{part}Url"] for part in parts} == {
        part: f"https://{part}.monitoring.example.com" for part in parts
    }
    (certificate,) = domain.of_type("aws:acm/certificate:Certificate")
    assert certificate.inputs == {"domainName": "*.monitoring.example.com", "validationMethod": "DNS"}
    (valid,) = domain.of_type("aws:acm/certificateValidation:CertificateValidation")
    records = {record.name: record for record in domain.of_type("aws:route53/record:Record")}
    assert records.keys() == {"domain-validation", *parts}
    proof = records.pop("domain-validation").inputs
    assert valid.inputs["validationRecordFqdns"] == [proof["name"].removesuffix(".")]
    assert {record.inputs["zoneId"] for record in records.values()} == {proof["zoneId"]} == {DOMAIN["zoneId"]}
    for part, port in parts.items():
        (service,) = (each for each in domain.resources if each.name == f"{part}-external")
        (listens,) = service.inputs["spec"]["ports"]
        assert (listens["port"], listens["targetPort"]) == (443, port)
        annotations = service.inputs["metadata"]["annotations"]
        assert annotations[f"{LOAD_BALANCER}ssl-cert"] == valid.inputs["certificateArn"]
        assert annotations[f"{LOAD_BALANCER}ssl-ports"] == "443"
        assert annotations[f"{LOAD_BALANCER}backend-protocol"] == ("ssl" if part == "kibana" else "tcp")
        record = records[part].inputs
        assert (record["name"], record["type"]) == (f"{part}.monitoring.example.com", "CNAME")
        assert record["records"] == [f"{part}-external.example.com"]
        assert "allowOverwrite" not in record, "a name that somebody else has stays theirs"


def test_without_a_domain_nothing_of_it_is_there(stack: Run) -> None:
    assert not [each.name for each in stack.resources if each.type.startswith(("aws:acm", "aws:route53"))]


def test_a_certificate_of_ones_own_leaves_ports_and_addresses(tmp_path: Path) -> None:
    arn = "arn:aws:acm:ap-southeast-1:111122223333:certificate/1349f442"
    stack = run("prod", tmp_path, {"exposure": {"certificateArn": arn}})
    assert stack.outputs["grafanaUrl"] == "https://grafana-external.example.com:3000"
    (service,) = (each for each in stack.resources if each.name == "grafana-external")
    assert service.inputs["metadata"]["annotations"][f"{LOAD_BALANCER}ssl-cert"] == arn
    assert service.inputs["metadata"]["annotations"][f"{LOAD_BALANCER}ssl-ports"] == "3000"
