"""A Service by which people reach a workload from outside the cluster, and its URL."""

from dataclasses import dataclass
from typing import Protocol

import pulumi
from pulumi_kubernetes import core

from ..settings.foundation import ExposureSettings
from .metadata import metadata
from .web_interfaces import WebInterface

AWS_LOAD_BALANCER = "service.k8s.aws/nlb"  # the class of those that the AWS Load Balancer Controller makes
_AWS = "service.beta.kubernetes.io/aws-load-balancer-"


class Domain(Protocol):
    """A domain, as an endpoint uses it. The class for AWS is not imported here: its SDK takes a second."""

    certificate_arn: pulumi.Output[str]

    def host(self, name: str) -> str:
        """Return the name in the domain of the endpoint `name`."""

    def create_record(self, name: str, address: pulumi.Input[str], endpoint: pulumi.Resource) -> None:
        """Make the record by which that name leads to the address of a load balancer."""


@dataclass(frozen=True, kw_only=True)
class EndpointArgs:
    """The arguments of Endpoint.

    Args:
        namespace: of the Service and of the pods.
        interface: which pods, and their port.
        exposure: how people get there.
        domain: where the endpoint has a name, at the port of https.
    """

    namespace: str
    interface: WebInterface
    exposure: ExposureSettings
    domain: Domain | None = None


class Endpoint(pulumi.ComponentResource):
    """The Service `<name>-external`. It is made before the workload, which is told its own URL."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: EndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Endpoint", name, {}, opts)
        self.url = (
            self._on_nodes(name, args) if args.exposure.load_balancer == "nodePort" else self._balanced(name, args)
        )
        self.register_outputs({"url": self.url})

    def _on_nodes(self, name: str, args: EndpointArgs) -> pulumi.Output[str]:
        """Make a Service that every node answers for at a port that is the same in each cluster, and return its URL."""
        interface = args.interface
        port = core.v1.ServicePortArgs(
            name="web", port=interface.port, target_port=interface.port, node_port=interface.node_port
        )
        self._service(
            name,
            args,
            # There is no address to wait for, and the pods come later.
            {"pulumi.com/skipAwait": "true"},
            core.v1.ServiceSpecArgs(type="NodePort", selector=interface.selector, ports=[port]),
        )
        scheme = "https" if interface.tls else "http"
        return pulumi.Output.from_input(f"{scheme}://{args.exposure.node_address}:{interface.node_port}")

    def _balanced(self, name: str, args: EndpointArgs) -> pulumi.Output[str]:
        """Make a Service with a load balancer, and return its URL."""
        port = 443 if args.domain else args.interface.port
        certificate = args.domain.certificate_arn if args.domain else args.exposure.certificate_arn
        service = self._service(
            name,
            args,
            {
                # The address is enough: Pulumi's own waiting would also want pods, which come later.
                "pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}",
                **(_aws_annotations(args, port, certificate) if args.exposure.load_balancer == "aws" else {}),
            },
            core.v1.ServiceSpecArgs(
                type="LoadBalancer",
                load_balancer_class=AWS_LOAD_BALANCER if args.exposure.load_balancer == "aws" else None,
                load_balancer_source_ranges=args.exposure.admitted,
                selector=args.interface.selector,
                ports=[core.v1.ServicePortArgs(name="web", port=port, target_port=args.interface.port)],
            ),
        )
        address = service.status.apply(_address)  # type: ignore[arg-type]
        if args.domain:
            args.domain.create_record(name, address, self)
            return pulumi.Output.from_input(f"https://{args.domain.host(name)}")
        scheme = "https" if args.interface.tls or certificate else "http"
        return pulumi.Output.concat(f"{scheme}://", address, f":{port}")

    def _service(
        self,
        name: str,
        args: EndpointArgs,
        annotations: dict[str, pulumi.Input[str]],
        spec: core.v1.ServiceSpecArgs,
    ) -> core.v1.Service:
        external = f"{name}-external"
        return core.v1.Service(
            external,
            metadata=metadata(external, name, args.namespace, annotations=annotations),
            spec=spec,
            # Another class is refused by the API server: load_balancer_check.py has the user remove the Service before.
            # Another type has another address, which a preview of an update in place would take from what is there.
            opts=pulumi.ResourceOptions(
                parent=self, replace_on_changes=["spec.type", "spec.loadBalancerClass"], delete_before_replace=True
            ),
        )


def _address(status: core.v1.outputs.ServiceStatus) -> str:
    balancer = status.load_balancer
    if not balancer or not balancer.ingress:  # the waitFor annotation says that there is one
        raise pulumi.RunError("a load balancer reported ready without an address")
    return str(balancer.ingress[0].hostname or balancer.ingress[0].ip)


def _aws_annotations(
    args: EndpointArgs, port: int, certificate: pulumi.Input[str] | None
) -> dict[str, pulumi.Input[str]]:
    annotations: dict[str, pulumi.Input[str]] = {
        f"{_AWS}nlb-target-type": "ip",
        f"{_AWS}scheme": args.exposure.scheme,
    }
    if certificate is not None:
        annotations[f"{_AWS}ssl-cert"] = certificate
        annotations[f"{_AWS}ssl-ports"] = str(port)
        # The controller's default still speaks TLS 1.0.
        annotations[f"{_AWS}ssl-negotiation-policy"] = "ELBSecurityPolicy-TLS13-1-2-2021-06"
        annotations[f"{_AWS}backend-protocol"] = "ssl" if args.interface.tls else "tcp"
    return annotations
