"""Every policy document, as parliament lints it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import parliament

from tests.offline import Registered, Run, run

# Findings that are no fault, by the kind of document.
ACCEPTED = {
    ("aws:kms/key:Key", "policy"): {
        # In the policy of a key, * is that key. AWS' own default says the same: else nobody could change it.
        "RESOURCE_STAR",
        "PERMISSIONS_MANAGEMENT_ACTIONS",
    },
    ("aws:iam/role:Role", "assumeRolePolicy"): {
        "MALFORMED",  # no Resource: a trust policy has none, which parliament does not know
        "UNKNOWN_FEDERATION_SOURCE",  # parliament knows SAML and Cognito, not the issuer of an EKS cluster
    },
}


def documents(stack: Run) -> Iterator[tuple[Registered, str, str]]:
    """Return each document with its resource, and the input that it is."""
    for resource in stack.resources:
        if resource.type.startswith("aws:"):
            for key in ("policy", "assumeRolePolicy"):
                if key in resource.inputs:
                    yield resource, key, resource.inputs[key]


def findings(document: str) -> list[Any]:
    return list(parliament.analyze_policy_string(document, include_community_auditors=True).findings)


def test_nor_where_another_bucket_is_read(tmp_path: Path) -> None:
    key = "arn:aws:kms:ap-southeast-1:111122223333:key/1147fa16-82de-478f-ba3b-ae20900b5590"
    stack = run("prod", tmp_path, {"backup": {"otherBucket": {"name": "lost-bucket", "keyArn": key}}})
    texts = [document for resource, _, document in documents(stack) if resource.type == "aws:iam/rolePolicy:RolePolicy"]
    assert all("lost-bucket" in text for text in texts)
    assert [finding for text in texts for finding in findings(text)] == []


def test_parliament_finds_nothing_else(stack: Run) -> None:
    kinds = set()
    for resource, key, document in documents(stack):
        kinds.add((resource.type, key))
        accepted = ACCEPTED.get((resource.type, key), set())
        found = findings(document)
        assert {finding.issue for finding in found} == accepted, f"{resource.type} {resource.name}: {found}"
    assert kinds == {
        *ACCEPTED,
        ("aws:iam/rolePolicy:RolePolicy", "policy"),
        ("aws:s3/bucketPolicy:BucketPolicy", "policy"),
    }


def test_the_list_of_uploads_knows_no_prefix(stack: Run) -> None:
    """With the condition that limits ListBucket, S3 would never allow it."""
    (policy,) = (
        r.inputs["policy"] for r in stack.of_type("aws:iam/rolePolicy:RolePolicy") if r.name == "mangakai-logs"
    )
    document = json.loads(policy)
    (listing,) = (statement for statement in document["Statement"] if statement["Sid"] == "List")
    listing["Action"] = [listing["Action"], "s3:ListBucketMultipartUploads"]
    assert [finding.issue for finding in findings(json.dumps(document))] == ["UNKNOWN_CONDITION_FOR_ACTION"]
