"""A LoadBalancer Service in front of a workload, and its URL."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import core

from .metadata import metadata
from .settings.platform import ExposureSettings

_AWS = "service.beta.kubernetes.io/aws-load-balancer-"


@dataclass(frozen=True)
class EndpointArgs:
    """What an endpoint leads to.

    Args:
        namespace: of the Service and of the pods.
        selector: the labels of the pods that the chart or operator documents.
        port: of the load balancer and of the pods.
        exposure: how people get there.
        backend_tls: whether the pods themselves speak TLS.
    """

    namespace: str
    selector: Mapping[str, str]
    port: int
    exposure: ExposureSettings
    backend_tls: bool = False


class Endpoint(pulumi.ComponentResource):
    """The Service `<name>-external`. It is made before the workload, which is told its own URL."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: EndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Endpoint", name, {}, opts)
        service = core.v1.Service(
            f"{name}-external",
            metadata=metadata(
                f"{name}-external",
                name,
                args.namespace,
                annotations={
                    # The address is enough: Pulumi's own waiting would also want pods, which come later.
                    "pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}",
                    **(_aws_annotations(args) if args.exposure.load_balancer == "aws" else {}),
                },
            ),
            spec=core.v1.ServiceSpecArgs(
                type="LoadBalancer",
                load_balancer_class="service.k8s.aws/nlb" if args.exposure.load_balancer == "aws" else None,
                load_balancer_source_ranges=args.exposure.source_ranges,
                selector=args.selector,
                ports=[core.v1.ServicePortArgs(name="web", port=args.port, target_port=args.port)],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        scheme = "https" if args.backend_tls or args.exposure.certificate_arn else "http"
        self.url = service.status.apply(
            lambda status: f"{scheme}://{_address(status)}:{args.port}"  # type: ignore[arg-type]
        )
        self.register_outputs({"url": self.url})


def _address(status: core.v1.outputs.ServiceStatus) -> str:
    balancer = status.load_balancer
    if not balancer or not balancer.ingress:  # the waitFor annotation says that there is one
        raise pulumi.RunError("a load balancer reported ready without an address")
    return str(balancer.ingress[0].hostname or balancer.ingress[0].ip)


def _aws_annotations(args: EndpointArgs) -> dict[str, str]:
    annotations = {f"{_AWS}nlb-target-type": "ip", f"{_AWS}scheme": args.exposure.scheme}
    if args.exposure.certificate_arn:
        annotations[f"{_AWS}ssl-cert"] = args.exposure.certificate_arn
        annotations[f"{_AWS}ssl-ports"] = str(args.port)
        annotations[f"{_AWS}backend-protocol"] = "ssl" if args.backend_tls else "tcp"
    return annotations
