"""The fixed names by which the parts find one another."""

MONITORING = "monitoring"
AGENTS = "monitoring-agents"

PROMETHEUS_RULES = "prometheus-rules"
PROMETHEUS_SCRAPE_CONFIGS = "prometheus-scrape-configs"

ALERTMANAGER_SECRETS = "alertmanager-notifications"
GRAFANA_ADMIN = "grafana-admin"
WEB_AUTH = "web-auth"
WEB_USER = "monitoring"
