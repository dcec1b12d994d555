"""Settings of Grafana."""

from .types import Model, Resources, Volume, sized


class GrafanaSettings(Model):
    """Grafana. One replica: dashboards and datasources come from the program, its volume holds users."""

    storage: Volume = "10Gi"
    resources: Resources = sized("100m", "256Mi", "500m", "512Mi")
