"""What is wrong on the cluster of a stack, and what to do about it: `make troubleshoot`, which changes nothing."""
