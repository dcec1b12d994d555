"""The foundation of all areas: cluster check, namespaces, Secrets, endpoints, Releases."""
