"""A marked alert through Alertmanager's own routes to each receiver, to see that it arrives: `make fire-drill`."""
