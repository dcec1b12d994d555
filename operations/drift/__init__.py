"""What on the cluster is not what Pulumi and Helm made it: `make drift STACK=…`."""
