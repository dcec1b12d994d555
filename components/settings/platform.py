"""Settings of what lies under the stack: the cluster, its storage, its load balancers, the AWS account, the charts."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .leaves import Cidr, Https, Model, Name


class ClusterSettings(Model):
    """The cluster that this stack belongs to; the program refuses to touch another one.

    `name` and `region` become Prometheus' external labels (S-011, S-012). `admission_webhooks` is for a cluster
    whose API server cannot reach Services, as the sandbox: the operators then come without their webhooks.
    """

    name: Name
    region: Name
    context: str
    server: Https
    admission_webhooks: bool = True


class StorageSettings(Model):
    """Volumes. With `keep_data`, `pulumi destroy` leaves the namespace and its volumes, and a later `up` takes them."""

    storage_class: Name = "gp3"
    keep_data: bool = True


class ExposureSettings(Model):
    """Load balancers in front of the web interfaces, and who may pass.

    `load_balancer` says what makes them: the AWS Load Balancer Controller, or whatever the cluster has (`generic`).
    """

    load_balancer: Literal["aws", "generic"] = "aws"
    scheme: Literal["internal", "internet-facing"] = "internal"
    source_ranges: list[Cidr] = ["10.0.0.0/8"]
    certificate_arn: (
        Annotated[
            str,
            Field(
                pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/\S+$",
                json_schema_extra={"allowed": "the ARN of an ACM certificate"},
            ),
        ]
        | None
    ) = None
    authentication: bool = True
    jaeger: bool = False

    @model_validator(mode="after")
    def _internet_is_fenced(self) -> "ExposureSettings":
        if self.scheme == "internal":
            return self
        if not self.source_ranges or any(ip_network(cidr).prefixlen == 0 for cidr in self.source_ranges):
            raise ValueError(
                "scheme internet-facing needs sourceRanges that name networks: "
                "without them anyone on the internet may try the login; list your office's or VPN's CIDRs"
            )
        if "source_ranges" not in self.model_fields_set:
            raise ValueError("scheme internet-facing needs sourceRanges of its own: the default 10.0.0.0/8 is private")
        if not self.authentication:
            raise ValueError("scheme internet-facing needs authentication: true")
        return self


class AwsSettings(Model):
    """The AWS account behind an EKS cluster. `oidc_issuer` is the cluster's issuer, without https://."""

    account_id: Annotated[str, Field(pattern=r"^\d{12}$", json_schema_extra={"allowed": "12 digits, in quotes"})]
    oidc_issuer: Annotated[
        str,
        Field(
            pattern=r"^oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/id/[A-Z0-9]+$",
            json_schema_extra={"allowed": "oidc.eks.<region>.amazonaws.com/id/<ID>"},
        ),
    ]
    tags: dict[str, str] = {}


class ChartsSettings(Model):
    """Where the chart archives lie, relative to the project: an absolute path would differ from machine to machine.

    `timeout_seconds` is how long an install or upgrade may take until it is ready.
    """

    directory: str = ".charts"
    timeout_seconds: Annotated[int, Field(ge=10, le=3600)] = 600
