"""The address, authority and login of an Elasticsearch cluster."""

from dataclasses import dataclass

import pulumi


def url(cluster: str, namespace: str) -> str:
    """Return the address of an Elasticsearch cluster, as its certificate has it: not .svc.cluster.local."""
    return f"https://{cluster}-es-http.{namespace}.svc:9200"


def ca_secret(cluster: str) -> str:
    """Return the name of the Secret whose `ca.crt` has signed the certificate of an Elasticsearch cluster."""
    return f"{cluster}-es-http-certs-public"


def user_secret(cluster: str, user: str) -> str:
    """Return the name of the Secret with the `username` and `password` of a user of an Elasticsearch cluster."""
    return f"{cluster}-user-{user}"


@dataclass(frozen=True, kw_only=True)
class ElasticsearchConnection:
    """An Elasticsearch cluster, and the user that reads from outside the Elastic Stack.

    Args:
        cluster: its name.
        version: of the Elastic Stack, which all its parts must share.
        url: https://host:port.
        ca_secret: the Secret whose `ca.crt` has signed its certificate.
        username: of the user.
        password: of the user.
        user_secret: the Secret that holds both, as `username` and `password`.
        nodes: how many there are: one alone can hold no replica.
    """

    cluster: str
    version: str
    url: str
    ca_secret: str
    username: str
    password: pulumi.Output[str]
    user_secret: str
    nodes: int
