"""What every area stands on: the cluster, the namespaces, the Secrets, the endpoints, and how a Release is made."""
