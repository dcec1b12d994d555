"""The fixed names by which the parts find one another."""

MONITORING = "monitoring"
AGENTS = "monitoring-agents"
# What files in rules/ and scrape/ call the application's namespace, which each stack names for itself.
APPLICATION = "$application"

PROMETHEUS_RULES = "prometheus-rules"
PROMETHEUS_SCRAPE_CONFIGS = "prometheus-scrape-configs"

# The Secret of Alertmanager, and its keys, which are files in the pod.
ALERTMANAGER_NOTIFICATIONS = "alertmanager-notifications"
SMTP_AUTH_PASSWORD = "smtp-auth-password"
SLACK_API_URL = "slack-api-url"
HEARTBEAT_URL = "heartbeat-url"

GRAFANA_ADMIN = "grafana-admin"
# The Secret of Grafana's client at the provider of single sign-on, and its key, which is a file in the pod.
GRAFANA_SINGLE_SIGN_ON = "grafana-single-sign-on"
CLIENT_SECRET = "client-secret"
WEB_AUTH = "web-auth"
# Who people are in front of Prometheus and Alertmanager, and in Kibana; and the space there that is theirs.
WEB_USER = "monitoring"
KIBANA_SPACE = "team"
REMOTE_WRITE = "prometheus-remote-write"

# The Helm releases, by their namespace.
RELEASES = {
    MONITORING: (
        "alertmanager",
        "elastic-operator",
        "elastic-operator-crds",
        "grafana",
        "jaeger-operator",
        "kibana",
        "logstash",
        "mangakai-logs",
        "mangakai-traces",
        "prometheus",
    ),
    AGENTS: ("filebeat",),
}

# ClusterRoles and their bindings, of the same name.
ELASTIC_OPERATOR_RIGHTS = "mangakai-elastic-operator"
JAEGER_OPERATOR_RIGHTS = "mangakai-jaeger-operator"
PROMETHEUS_RIGHTS = "mangakai-prometheus"
CLUSTER_WIDE_RIGHTS = (ELASTIC_OPERATOR_RIGHTS, JAEGER_OPERATOR_RIGHTS, PROMETHEUS_RIGHTS)

# The PriorityClass of all pods that run on.
PRIORITY = "mangakai-monitoring"

BACKUP = "backup"
BACKUP_AGENT = "backup-program"

# What is backed up: each has a ServiceAccount, a prefix in the bucket and a role in AWS of this name.
BACKUP_PARTS = ("prometheus", "grafana", BACKUP, "mangakai-logs", "mangakai-traces")
