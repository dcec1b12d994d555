"""The program that writes Kubernetes' events as lines."""
