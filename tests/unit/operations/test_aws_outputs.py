"""What the echo of AWS answers."""

import pytest
from pulumi.runtime.rpc import UNKNOWN

from operations.aws_outputs import Properties, made_up_id, outputs
from sandbox.aws_echo import changed

CONFIG: Properties = {
    "region": "ap-southeast-1",
    "allowedAccountIds": ["111122223333"],
    "defaultTags": {"tags": {"project": "p", "owner": "default"}},
}


def urn(kind: str) -> str:
    return f"urn:pulumi:prod::mangakai-monitoring::mangakai:monitoring:Key${kind}::name"


def test_ids_are_the_same_from_run_to_run_and_differ_by_resource() -> None:
    assert made_up_id("urn:a", {}) == made_up_id("urn:a", {})
    assert made_up_id("urn:a", {}) != made_up_id("urn:b", {})
    assert made_up_id("urn:a", {"name": "role"}) == "role"
    assert made_up_id("urn:a", {"bucketPrefix": "p-"}).startswith("p-")


@pytest.mark.parametrize(
    ("kind", "inputs", "arn"),
    [
        ("aws:iam/role:Role", {"name": "r"}, "arn:aws:iam::111122223333:role/r"),
        ("aws:s3/bucket:Bucket", {"bucket": "b"}, "arn:aws:s3:::b"),
        (
            "aws:acm/certificate:Certificate",
            {"domainName": "*.example.com", "name": "c"},
            "arn:aws:acm:ap-southeast-1:111122223333:certificate/c",
        ),
        ("aws:kms/alias:Alias", {"name": "alias/x"}, "arn:aws:kms:ap-southeast-1:111122223333:alias/x"),
    ],
)
def test_arns_have_the_account_and_the_region(kind: str, inputs: Properties, arn: str) -> None:
    assert outputs(urn(kind), inputs, CONFIG, preview=False)["arn"] == arn


def test_a_certificate_is_proven_by_a_record_below_its_domain() -> None:
    kind, inputs = urn("aws:acm/certificate:Certificate"), {"domainName": "*.example.com"}
    (proof,) = outputs(kind, inputs, CONFIG, preview=False)["domainValidationOptions"]
    assert proof["resourceRecordType"] == "CNAME"
    assert proof["resourceRecordName"].endswith(".example.com.")
    assert "*" not in proof["resourceRecordName"]
    assert outputs(kind, inputs, CONFIG, preview=True)["domainValidationOptions"] == UNKNOWN
    record = outputs(urn("aws:route53/record:Record"), {"name": proof["resourceRecordName"]}, CONFIG, preview=False)
    assert f"{record['fqdn']}." == proof["resourceRecordName"]


def test_a_preview_does_not_know_what_aws_computes() -> None:
    answer = outputs(urn("aws:iam/role:Role"), {"name": "r"}, CONFIG, preview=True)
    assert answer["arn"] == UNKNOWN
    assert answer["name"] == "r"


def test_default_tags_are_added_and_give_way() -> None:
    answer = outputs(urn("aws:kms/key:Key"), {"tags": {"owner": "mine"}}, CONFIG, preview=False)
    assert answer["tagsAll"] == {"project": "p", "owner": "mine"}


def test_other_types_are_echoed_as_they_are() -> None:
    assert outputs(urn("aws:s3/bucketPolicy:BucketPolicy"), {"policy": "p"}, CONFIG, preview=False) == {"policy": "p"}


def test_changes_are_named_unless_ignored() -> None:
    assert changed({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 3, "d": 4}, ["d"]) == ["b", "c"]
