"""What the stacks register, given to moto: whether the API takes it, and what the roles then may."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count

from components.foundation.names import BACKUP_PARTS
from tests.aws.conftest import DOMAIN
from tests.offline import Run

REGION = "ap-southeast-1"
# Where the API spells a name otherwise than with a capital letter.
SPELLING = {"id": "ID", "sseAlgorithm": "SSEAlgorithm", "kmsMasterKeyId": "KMSMasterKeyID"}
# Inputs that are Pulumi's own, not the API's.
OURS = {"bucket", "allowOverwrite"}


def spelled(value: Any) -> Any:
    """Return inputs as the API spells them: it refuses a name that it does not know."""
    match value:
        case dict():
            return {
                SPELLING.get(k, k[0].upper() + k[1:]): spelled(inner) for k, inner in value.items() if k not in OURS
            }
        case list():
            return [spelled(inner) for inner in value]
        case float():
            return int(value)
    return value


def inputs(stack: Run, kind: str, name: str | None = None) -> dict[str, Any]:
    """Return the inputs of the only resource of a kind, or of that name."""
    (resource,) = (r for r in stack.of_type(f"aws:{kind}") if name in (None, r.name))
    return resource.inputs


def client(service: str, **credentials: str) -> Any:
    names = ("aws_access_key_id", "aws_secret_access_key")
    return boto3.client(service, region_name=REGION, **(credentials or dict.fromkeys(names, "testing")))


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def bucket_of(stack: Run) -> str:
    """Make the bucket of a stack, and return its name."""
    name: str = inputs(stack, "s3/bucketVersioning:BucketVersioning")["bucket"]
    client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def roles_of(stack: Run) -> None:
    """Make the roles of a stack."""
    for part in BACKUP_PARTS:
        role, policy = inputs(stack, "iam/role:Role", part), inputs(stack, "iam/rolePolicy:RolePolicy", part)
        client("iam").create_role(
            RoleName=role["name"],
            AssumeRolePolicyDocument=role["assumeRolePolicy"],
            Description=role["description"],
        )
        client("iam").put_role_policy(RoleName=policy["role"], PolicyName=part, PolicyDocument=policy["policy"])


def test_the_bucket_is_as_registered(stack: Run) -> None:
    name, s3 = bucket_of(stack), client("s3")
    versioning = spelled(inputs(stack, "s3/bucketVersioning:BucketVersioning"))
    s3.put_bucket_versioning(Bucket=name, **versioning)
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"

    lifecycle = spelled(inputs(stack, "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"))
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=lifecycle)
    assert s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"] == lifecycle["Rules"]

    encryption = spelled(
        inputs(stack, "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
    )
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=encryption)
    assert s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"] == encryption

    closed = spelled(inputs(stack, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock"))
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=closed)
    assert s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"] == closed

    policy = inputs(stack, "s3/bucketPolicy:BucketPolicy")["policy"]
    s3.put_bucket_policy(Bucket=name, Policy=policy)
    assert json.loads(s3.get_bucket_policy(Bucket=name)["Policy"]) == json.loads(policy)


def test_the_key_is_as_registered(stack: Run) -> None:
    key, kms = inputs(stack, "kms/key:Key"), client("kms")
    made = kms.create_key(Description=key["description"], Policy=key["policy"])["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=inputs(stack, "kms/alias:Alias")["name"], TargetKeyId=made)
    assert json.loads(kms.get_key_policy(KeyId=made, PolicyName="default")["Policy"]) == json.loads(key["policy"])


def test_the_roles_are_as_registered(stack: Run) -> None:
    roles_of(stack)
    for part in BACKUP_PARTS:
        role, policy = inputs(stack, "iam/role:Role", part), inputs(stack, "iam/rolePolicy:RolePolicy", part)
        made = client("iam").get_role(RoleName=role["name"])["Role"]
        assert made["AssumeRolePolicyDocument"] == json.loads(role["assumeRolePolicy"])
        kept = client("iam").get_role_policy(RoleName=role["name"], PolicyName=part)["PolicyDocument"]
        assert kept == json.loads(policy["policy"])


def test_the_domain_is_as_registered(runs: dict[str, Run]) -> None:
    stack, acm, route53 = runs["prod with all"], client("acm"), client("route53")
    certificate = acm.request_certificate(**spelled(inputs(stack, "acm/certificate:Certificate")))["CertificateArn"]
    (proof,) = acm.describe_certificate(CertificateArn=certificate)["Certificate"]["DomainValidationOptions"]
    assert proof["DomainName"] == f"*.{DOMAIN['name']}"
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="test")["HostedZone"]["Id"]
    records = {resource.name: resource.inputs for resource in stack.of_type("aws:route53/record:Record")}
    assert records.keys() == {"domain-validation", "prometheus", "alertmanager", "grafana", "kibana"}
    for record in records.values():
        assert record["zoneId"] == DOMAIN["zoneId"]
        described = {
            "Name": record["name"],
            "Type": record["type"],
            "TTL": int(record["ttl"]),
            "ResourceRecords": [{"Value": value} for value in record["records"]],
        }
        changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": described}]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
    names = {item["Name"] for item in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]}
    assert names >= {f"{name}.monitoring.example.com." for name in ("prometheus", "alertmanager", "grafana", "kibana")}


def session(stack: Run, part: str) -> Any:
    """Take a part's role as its ServiceAccount does, and return its client of S3."""
    name = inputs(stack, "iam/role:Role", part)["name"]
    taken = client("sts").assume_role_with_web_identity(
        RoleArn=client("iam").get_role(RoleName=name)["Role"]["Arn"], RoleSessionName=part, WebIdentityToken="token"
    )["Credentials"]
    return client(
        "s3",
        aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"],
        aws_session_token=taken["SessionToken"],
    )


def refused(call: Callable[..., Any], **arguments: Any) -> bool:
    """Tell whether S3 denies a call. It answers nothing else to one that is not allowed."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"  # noqa: PT017
        return True
    return False


@pytest.mark.parametrize("part", BACKUP_PARTS)
def test_a_role_reaches_its_own_prefix_only(runs: dict[str, Run], part: str) -> None:
    """moto knows no condition such as s3:prefix: what a role may list is in tests/unit/components/aws/test_aws.py."""
    stack = runs["prod"]
    bucket = bucket_of(stack)
    roles_of(stack)
    others = [other for other in BACKUP_PARTS if other != part]
    for other in BACKUP_PARTS:
        client("s3").put_object(Bucket=bucket, Key=f"{other}/there", Body=b"")
    s3 = session(stack, part)

    @set_initial_no_auth_action_count(0)
    def enforced() -> None:
        s3.put_object(Bucket=bucket, Key=f"{part}/new", Body=b"")
        s3.get_object(Bucket=bucket, Key=f"{part}/new")
        version = s3.delete_object(Bucket=bucket, Key=f"{part}/new").get("VersionId", "null")
        assert refused(s3.delete_object, Bucket=bucket, Key=f"{part}/there", VersionId=version)
        for key in [*(f"{other}/there" for other in others), "there", f"{part}-and-more/there"]:
            assert refused(s3.get_object, Bucket=bucket, Key=key), key
            assert refused(s3.put_object, Bucket=bucket, Key=key, Body=b""), key
            assert refused(s3.delete_object, Bucket=bucket, Key=key), key
        assert refused(s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration={"Rules": []})
        assert refused(s3.delete_bucket, Bucket=bucket)

    enforced()
