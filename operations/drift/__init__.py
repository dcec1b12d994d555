"""Drift, that is objects on the cluster that are not as Pulumi and Helm made them: `make drift STACK=…`."""
