"""Real Prometheus and Alertmanager on this machine, with the configuration of a stack: `make demo`."""
