"""Settings of the AWS account behind an EKS cluster."""

from typing import Annotated

from pydantic import Field

from .types import AS_TEXT, Model, Text


class AwsSettings(Model):
    """The AWS account behind an EKS cluster. `oidc_issuer` is the cluster's issuer, without https://."""

    account_id: Annotated[
        str,
        Field(pattern=r"^\d{12}$", json_schema_extra={"allowed": "12 digits, in quotes where the first one is 0"}),
        AS_TEXT,
    ]
    oidc_issuer: Annotated[
        str,
        Field(
            pattern=r"^oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/id/[A-Z0-9]+$",
            json_schema_extra={"allowed": "oidc.eks.<region>.amazonaws.com/id/<ID>"},
        ),
        AS_TEXT,
    ]
    tags: dict[str, Text] = {}
