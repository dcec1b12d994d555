"""Settings of what lies under the stack: the cluster, its storage, its load balancers, the charts."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .types import AS_TEXT, Cidr, Https, Model, Name, Text


class ClusterSettings(Model):
    """The cluster that this stack belongs to; the program refuses to touch another one.

    `name` and `region` become Prometheus' external labels (S-011, S-012). `admission_webhooks` is for a cluster
    whose API server cannot reach Services, as the sandbox: the operators then come without their webhooks. With
    `elastic_webhook` Elastic's has one, and with it the rights to all Secrets and workloads of the cluster.
    `priority` is the value of the PriorityClass that is made for all pods, of which 0 makes none.
    """

    name: Name
    region: Name
    context: Text
    server: Https
    admission_webhooks: bool = True
    elastic_webhook: bool = False
    priority: Annotated[int, Field(ge=0, le=1_000_000_000)] = 1_000_000

    @model_validator(mode="after")
    def _a_webhook_is_reached(self) -> "ClusterSettings":
        if self.elastic_webhook and not self.admission_webhooks:
            raise ValueError("elasticWebhook needs admissionWebhooks: true, and an API server that reaches Services")
        return self


class StorageSettings(Model):
    """Volumes. With `keep_data`, `pulumi destroy` leaves the namespace and its volumes, and a later `up` takes them."""

    storage_class: Name = "gp3"
    keep_data: bool = True


class DomainSettings(Model):
    """A domain whose names lead to the load balancers, and the Route 53 zone that has it.

    The zone is told, not looked up, so that a preview asks AWS nothing. ACM takes 64 characters, with `*.` before them.
    """

    name: Annotated[
        str,
        Field(
            pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$",
            max_length=62,
            json_schema_extra={"allowed": "a domain such as monitoring.example.com"},
        ),
        AS_TEXT,
    ]
    zone_id: Annotated[
        str,
        Field(pattern=r"^Z[A-Z0-9]{1,31}$", json_schema_extra={"allowed": "the id of a Route 53 zone: Z and more"}),
        AS_TEXT,
    ]


class ExposureSettings(Model):
    """Load balancers in front of the web interfaces, and who may pass.

    `load_balancer` says what makes them: the AWS Load Balancer Controller, whatever the cluster has (`generic`), or
    nothing (`nodePort`): then each node answers at a fixed port, and URLs begin with `node_address`.
    Without `source_ranges` one of AWS admits 10.0.0.0/8, and a generic one everybody who reaches it: which networks
    those are only its owner knows, and kube-proxy drops the rest without a word.
    """

    load_balancer: Literal["aws", "generic", "nodePort"] = "aws"
    node_address: (
        Annotated[
            str,
            Field(
                pattern=r"^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$",
                json_schema_extra={"allowed": "the name or IPv4 address of a node"},
            ),
            AS_TEXT,
        ]
        | None
    ) = None
    scheme: Literal["internal", "internet-facing"] = "internal"
    source_ranges: list[Cidr] | None = None
    certificate_arn: (
        Annotated[
            str,
            Field(
                pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/\S+$",
                json_schema_extra={"allowed": "the ARN of an ACM certificate"},
            ),
            AS_TEXT,
        ]
        | None
    ) = None
    domain: DomainSettings | None = None
    authentication: bool = True
    jaeger: bool = False

    @property
    def admitted(self) -> list[str] | None:
        """The networks that may connect, None where it is everybody."""
        if self.source_ranges is None and self.load_balancer == "aws":
            return ["10.0.0.0/8"]
        return self.source_ranges

    @model_validator(mode="after")
    def _one_certificate(self) -> "ExposureSettings":
        if self.domain and self.certificate_arn:
            raise ValueError("domain brings a certificate of its own: remove certificateArn, or domain")
        if self.domain and self.load_balancer != "aws":
            raise ValueError(f"domain needs loadBalancer aws: {self.load_balancer} ones take no certificate of ACM")
        return self

    @model_validator(mode="after")
    def _nodes_take_all_that_comes(self) -> "ExposureSettings":
        if self.load_balancer == "nodePort":
            if not self.node_address:
                raise ValueError("loadBalancer nodePort needs nodeAddress, by which people reach a node")
            if not self.authentication and self.node_address not in ("localhost", "127.0.0.1"):
                raise ValueError("loadBalancer nodePort needs authentication: true, but on localhost")
            if self.source_ranges is not None:
                raise ValueError("sourceRanges needs a load balancer: a nodePort is open to whoever reaches the node")
            if self.certificate_arn:
                raise ValueError("certificateArn needs a load balancer: a nodePort has none to speak TLS")
            if self.scheme == "internet-facing":
                raise ValueError("scheme internet-facing needs a load balancer: a nodePort reaches as far as its node")
        elif self.node_address:
            raise ValueError(f"nodeAddress is for loadBalancer nodePort, found beside {self.load_balancer}: remove it")
        return self

    @model_validator(mode="after")
    def _internet_is_fenced(self) -> "ExposureSettings":
        if self.scheme == "internal":
            return self
        if not self.source_ranges or any(ip_network(cidr).prefixlen == 0 for cidr in self.source_ranges):
            raise ValueError(
                "scheme internet-facing needs sourceRanges that name networks: "
                "without them anyone on the internet may try the login; list your office's or VPN's CIDRs"
            )
        if not self.authentication:
            raise ValueError("scheme internet-facing needs authentication: true")
        return self


class ChartsSettings(Model):
    """The folder of the chart archives, relative to the project: an absolute path would differ from machine to machine.

    `timeout_seconds` is how long an install or upgrade may take until it is ready.
    """

    directory: Text = ".charts"
    timeout_seconds: Annotated[int, Field(ge=10, le=3600)] = 600
