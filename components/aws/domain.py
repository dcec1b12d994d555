"""A domain of one's own: its certificate, and the records that lead to the load balancers."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..settings.foundation import DomainSettings


@dataclass(frozen=True, kw_only=True)
class DomainArgs:
    """The domain and its zone, and the provider of the account that both are in."""

    settings: DomainSettings
    account: aws.Provider


class Domain(pulumi.ComponentResource):
    """The certificate of all names below the domain, proven by a record in the zone."""

    certificate_arn: pulumi.Output[str]

    def __init__(self, name: str, args: DomainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Domain", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self._args = args
        certificate = aws.acm.Certificate(
            name, domain_name=f"*.{args.settings.name}", validation_method="DNS", opts=child
        )
        proof = certificate.domain_validation_options[0]
        record = aws.route53.Record(
            f"{name}-validation",
            zone_id=args.settings.zone_id,
            name=proof.resource_record_name,
            type=proof.resource_record_type,
            records=[proof.resource_record_value],
            ttl=300,
            # Every certificate of an account for this domain is proven by this same record.
            allow_overwrite=True,
            opts=child,
        )
        valid = aws.acm.CertificateValidation(
            name,
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn],
            # It takes minutes. Longer means that the world does not see the zone; AWS' own patience is 75 minutes.
            opts=pulumi.ResourceOptions.merge(
                child, pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="30m"))
            ),
        )
        self.certificate_arn = valid.certificate_arn
        self.register_outputs({"certificateArn": self.certificate_arn})

    def host(self, name: str) -> str:
        """Return the name in the domain of the endpoint `name`."""
        return f"{name}.{self._args.settings.name}"

    def create_record(self, name: str, address: pulumi.Input[str], endpoint: pulumi.Resource) -> None:
        """Make the record by which the endpoint's name leads to the address of its load balancer."""
        aws.route53.Record(
            name,
            zone_id=self._args.settings.zone_id,
            name=self.host(name),
            type="CNAME",
            records=[address],
            ttl=300,
            opts=pulumi.ResourceOptions(parent=endpoint, provider=self._args.account),
        )
