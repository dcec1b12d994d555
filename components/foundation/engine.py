"""The oldest Pulumi on which this program runs."""

import pulumi

# Since this one the hook that says why a Release is not ready is called for every failure: pulumi/pulumi#23344.
LEAST = "3.244"


def require_engine() -> None:
    """Refuse an older Pulumi: one before 3.217 does not read `requiredPulumiVersion` in Pulumi.yaml.

    Raises:
        pulumi.RunError: this Pulumi is older than LEAST.
    """
    try:
        pulumi.require_pulumi_version(f">={LEAST}.0")
    except Exception as error:
        raise pulumi.RunError(
            f"Pulumi {LEAST} or newer is needed, and this one is older: https://www.pulumi.com/docs/install/"
        ) from error
