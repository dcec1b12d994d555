"""The outputs that AWS would compute for what is registered: made-up ids and ARNs, the same from run to run.

Ids are derived from the resource's URN.
"""

import uuid
from collections.abc import Callable
from typing import Any

from pulumi.runtime.rpc import UNKNOWN

Properties = dict[str, Any]


def _key(name: str, _: Properties, region: str, account: str) -> Properties:
    return {"keyId": name, "arn": f"arn:aws:kms:{region}:{account}:key/{name}"}


def _alias(_: str, inputs: Properties, region: str, account: str) -> Properties:
    target = inputs.get("targetKeyId")
    return {
        "arn": f"arn:aws:kms:{region}:{account}:{inputs.get('name')}",
        "targetKeyArn": f"arn:aws:kms:{region}:{account}:key/{target}",
    }


def _bucket(name: str, _: Properties, region: str, __: str) -> Properties:
    return {
        "bucket": name,
        "arn": f"arn:aws:s3:::{name}",
        "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        "region": region,
    }


def _role(name: str, _: Properties, __: str, account: str) -> Properties:
    return {"name": name, "arn": f"arn:aws:iam::{account}:role/{name}"}


def _certificate(name: str, inputs: Properties, region: str, account: str) -> Properties:
    # The record that proves `*.d` is the one that proves d, below d.
    domain = inputs.get("domainName", "")
    proof = f"_{uuid.uuid5(uuid.NAMESPACE_DNS, account + domain).hex}"
    option = {
        "domainName": domain,
        "resourceRecordName": f"{proof}.{domain.removeprefix('*.')}.",
        "resourceRecordType": "CNAME",
        "resourceRecordValue": f"{proof}.acm-validations.aws.",
    }
    return {"arn": f"arn:aws:acm:{region}:{account}:certificate/{name}", "domainValidationOptions": [option]}


def _record(_: str, inputs: Properties, __: str, ___: str) -> Properties:
    return {"fqdn": str(inputs.get("name", "")).removesuffix(".")}


# What AWS itself adds to the inputs, by type; every other type adds nothing.
COMPUTED: dict[str, Callable[[str, Properties, str, str], Properties]] = {
    "aws:kms/key:Key": _key,
    "aws:kms/alias:Alias": _alias,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:iam/role:Role": _role,
    "aws:acm/certificate:Certificate": _certificate,
    "aws:route53/record:Record": _record,
}
TAGGED = {"aws:kms/key:Key", "aws:s3/bucket:Bucket", "aws:iam/role:Role", "aws:acm/certificate:Certificate"}


def made_up_id(urn: str, inputs: Properties) -> str:
    """Return the id of a resource: its name where AWS takes the name for it, else one derived from the URN."""
    identity = uuid.uuid5(uuid.NAMESPACE_URL, urn)
    if prefix := inputs.get("bucketPrefix"):
        return f"{prefix}{identity.hex[:12]}"
    return str(inputs.get("bucket") or inputs.get("name") or identity)


def outputs(urn: str, inputs: Properties, config: Properties, preview: bool) -> Properties:
    """Return what AWS would answer: the inputs and what it computes, which a preview does not know yet."""
    kind = urn.split("::")[2].rsplit("$", 1)[-1]
    computed: Properties = {}
    if kind in COMPUTED:
        account = (config.get("allowedAccountIds") or ["000000000000"])[0]
        computed = COMPUTED[kind](made_up_id(urn, inputs), inputs, config.get("region", "us-east-1"), account)
    if preview:
        computed = {name: inputs.get(name, UNKNOWN) for name in computed}
    if kind in TAGGED:
        computed["tagsAll"] = {**config.get("defaultTags", {}).get("tags", {}), **inputs.get("tags", {})}
    return {**inputs, **computed}
