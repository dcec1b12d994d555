"""How a program reaches an Elasticsearch cluster."""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class Store:
    """An Elasticsearch cluster, and the one user that logs in from outside the Elastic Stack.

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
    url: pulumi.Output[str]
    ca_secret: str
    username: str
    password: pulumi.Output[str]
    user_secret: str
    nodes: int
