"""The leaf types that settings are made of: each pattern with the words that an error says about it."""

import re
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A part of the settings: camelCase in YAML, no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)


def _text(pattern: str, allowed: str) -> Any:
    return Field(pattern=pattern, json_schema_extra={"allowed": allowed})


def _cidr(value: str) -> str:
    try:
        ip_network(value)
    except ValueError as error:
        raise ValueError(f"an IP network such as 10.0.0.0/16 is allowed ({error})") from error
    return value


def as_number(value: Any) -> Any:
    """Return the number that a text is: `pulumi config set --path` keeps 0.1 as "0.1", but 3 as 3."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"\d+\.\d+", value) else value


def _as_text(value: Any) -> Any:
    """Return the text that a whole number is: `pulumi config set --path` keeps 2 as a number, where "2" is meant."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


# The last one of what a text has to be: it comes first.
AS_TEXT = BeforeValidator(_as_text)
Text = Annotated[str, AS_TEXT]
Name = Annotated[str, _text(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", "a DNS label such as mangakai-prod"), AS_TEXT]
Duration = Annotated[str, _text(r"^([1-9]\d*(y|w|d|h|m|s|ms))+$", "a Prometheus duration such as 15d or 30s"), AS_TEXT]
Bytes = Annotated[str, _text(r"^[1-9]\d*(B|KB|MB|GB|TB)$", "a size in Prometheus' units such as 45GB"), AS_TEXT]
Quantity = Annotated[
    str, _text(r"^[1-9]\d*(\.\d+)?(m|Ki|Mi|Gi|Ti)?$", "a Kubernetes quantity such as 500m or 2Gi"), AS_TEXT
]
Volume = Annotated[str, _text(r"^[1-9]\d*(Mi|Gi|Ti)$", "a volume size such as 100Gi"), AS_TEXT]
Email = Annotated[str, _text(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "an e-mail address"), AS_TEXT]
HostPort = Annotated[str, _text(r"^[A-Za-z0-9.-]+:\d{1,5}$", "host:port"), AS_TEXT]
QueueName = Annotated[str, _text(r"^[A-Za-z0-9_.:-]+$", "the name of a queue such as generation"), AS_TEXT]
Https = Annotated[str, _text(r"^https://\S+$", "an https:// address"), AS_TEXT]
Version = Annotated[str, _text(r"^\d+\.\d+\.\d+$", "a version such as 9.5.3"), AS_TEXT]
Cidr = Annotated[str, AfterValidator(_cidr), AS_TEXT]
Share = Annotated[float, BeforeValidator(as_number), Field(ge=0, le=1)]
Seconds = Annotated[float, BeforeValidator(as_number), Field(gt=0)]
Replicas = Annotated[int, Field(ge=1, le=9)]


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("an odd number is allowed: an even one adds a node and no tolerance of failure")
    return value


Quorum = Annotated[int, Field(ge=1, le=9), AfterValidator(_odd)]


class Compute(Model):
    """CPU and memory, as Kubernetes quantities."""

    cpu: Quantity
    memory: Quantity


class Resources(Model):
    """Requests and limits of a container; a CPU limit is left out where throttling would only hurt."""

    requests: Compute
    limits: Compute | None = None

    @model_validator(mode="after")
    def _limits_cover_requests(self) -> "Resources":
        if self.limits and to_bytes(self.limits.memory) < to_bytes(self.requests.memory):
            raise ValueError("limits.memory may not be below requests.memory")
        return self

    def manifest(self, *, holds_memory: bool = False) -> dict[str, Any]:
        """Return the `resources` block of a container; without limits, memory is limited to what is requested.

        Args:
            holds_memory: whether the program takes all that it may use and keeps it. All of it is requested then: what
                a pod has beyond its requests decides which one goes first when its node is short of memory.
        """
        limits = self.limits.model_dump() if self.limits else {"memory": self.requests.memory}
        requests = self.requests.model_dump() | ({"memory": limits["memory"]} if holds_memory else {})
        return {"requests": requests, "limits": limits}


def sized(cpu: str, memory: str, limit_cpu: str | None = None, limit_memory: str | None = None) -> Resources:
    """Return resources from quantities: the short form for defaults."""
    limits = Compute(cpu=limit_cpu, memory=limit_memory) if limit_cpu and limit_memory else None
    return Resources(requests=Compute(cpu=cpu, memory=memory), limits=limits)


_UNITS = {"m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def to_bytes(quantity: str) -> float:
    """Return a Kubernetes quantity as a number: bytes of memory, or cores of CPU."""
    for unit, factor in _UNITS.items():
        if quantity.endswith(unit):
            return float(quantity.removesuffix(unit)) * factor
    return float(quantity)


def prometheus_bytes(size: str) -> int:
    """Return a size in Prometheus' units in bytes; its GB is 2**30, as Kubernetes' Gi."""
    number = size.rstrip("BKMGT")
    return int(number) << (10 * "BKMGT".index(size[len(number)]))
