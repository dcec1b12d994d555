"""The certificates of a live cluster: an authority of its own, and kubeconfigs of those that ask the API server."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import authority
from sandbox.api_server import write_kubeconfig
from sandbox.authority import Authority
from sandbox.live.layout import API_PORT, API_SERVICE, NODE, NODE_ADDRESS

API_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    API_SERVICE,
    NODE_ADDRESS,
)
# File, common name, organisation, names and addresses that a server answers by:
# https://kubernetes.io/docs/setup/best-practices/certificates/.
LEAVES: Sequence[tuple[str, str, str, Sequence[str]]] = (
    ("apiserver", "kube-apiserver", "", API_NAMES),
    ("kubelet", f"system:node:{NODE}", "system:nodes", (NODE, NODE_ADDRESS, "127.0.0.1")),
    ("admin", "admin", "system:masters", ()),
    ("kubelet-client", "apiserver-kubelet-client", "system:masters", ()),
    ("controller-manager", "system:kube-controller-manager", "", ()),
    ("scheduler", "system:kube-scheduler", "", ()),
    ("kube-proxy", "system:kube-proxy", "", ()),
    ("front-proxy", "front-proxy-client", "", ()),
)
# Those that speak to the API server, from within.
CLIENTS = ("admin", "kubelet", "controller-manager", "scheduler", "kube-proxy")
# What the pod `internet` answers as, by TLS (see `sandbox.live.internet`).
INTERNET_NAMES = (
    "*.ap-southeast-1.amazonaws.com",
    "s3.dualstack.ap-southeast-1.amazonaws.com",
    "*.s3.dualstack.ap-southeast-1.amazonaws.com",
    "smtp.gmail.com",
    "hooks.slack.com",
    "heartbeat.invalid",
)


def write(folder: Path) -> None:
    """Write into a folder: the authority `ca`, a pair for each of LEAVES, the key pair `sa`, `<client>.kubeconfig`s.

    And the pair `internet`, which is signed by the authority that images trust.
    """
    folder.mkdir(parents=True, mode=0o700)
    own = Authority.create("mangakai-sandbox-live")
    own.write(folder)
    for file, common_name, organisation, names in LEAVES:
        own.write_leaf(folder, file, common_name, organisation, names)
    authority.of_images().write_leaf(folder, "internet", "internet", names=INTERNET_NAMES)
    tokens = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    authority.write_key(folder / "sa.key", tokens)
    public = tokens.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "sa.pub").write_bytes(public)
    for client in CLIENTS:
        write_kubeconfig(folder, client, f"https://127.0.0.1:{API_PORT}", folder / f"{client}.kubeconfig")
