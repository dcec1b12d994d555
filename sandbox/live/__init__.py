"""A cluster on this machine whose containers run: one node with a real kubelet, in namespaces of its own."""
