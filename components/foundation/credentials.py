"""What restarts the pods that read a secret at their start only: an annotation that changes with it."""

import functools
import hashlib

import pulumi

ANNOTATION = "mangakai.com/credentials"


def annotation(*secrets: pulumi.Output[str] | None) -> dict[str, pulumi.Output[str]]:
    """Return the annotation of pods that read these secrets at their start only: variables, arguments, certificates."""
    return {ANNOTATION: version(*secrets)}


def version(*secrets: pulumi.Output[str] | None) -> pulumi.Output[str]:
    """Return eight characters that are others once one of these secrets is another, and that are none themselves.

    A guess at a password by them costs as much as scrypt does, and many a wrong one fits.

    Args:
        secrets: of the stack; None for one that it does not have.
    """
    return pulumi.Output.unsecret(pulumi.Output.all(*secrets).apply(lambda texts: _version(tuple(texts))))


@functools.cache
def _version(texts: tuple[str | None, ...]) -> str:
    whole = "\0".join(text or "" for text in texts)
    return hashlib.scrypt(whole.encode(), salt=b"mangakai-monitoring", n=2**14, r=8, p=1, dklen=4).hex()
