"""Everything that watches MangakAI: the areas in the order in which they come up, then the outputs."""

import pulumi

from components.application.area import deploy as deploy_application
from components.aws.area import deploy as deploy_aws
from components.backups.area import deploy as deploy_backups
from components.backups.area import deploy_agent as deploy_backup_agent
from components.elastic.area import deploy as deploy_elastic_operator
from components.foundation.area import deploy as deploy_foundation
from components.foundation.area import deploy_endpoints, deploy_secrets
from components.foundation.engine import require_engine
from components.foundation.names import MONITORING
from components.grafana.area import deploy as deploy_grafana
from components.logs.area import deploy as deploy_logs
from components.metrics.area import deploy as deploy_metrics
from components.network.area import deploy as deploy_network
from components.settings import read_stack
from components.traces.area import deploy as deploy_traces

require_engine()
settings, secrets = read_stack()
base = deploy_foundation(settings, secrets)  # the charts and the cluster checked, the namespaces
base = deploy_aws(base)  # key, volumes, bucket, roles, domain: where the stack has an account
base = deploy_backup_agent(base)  # its program, and where it saves to: where there is a bucket
base = deploy_secrets(base)
base = deploy_network(base)  # which connections pods may have: those of the picture in the README, and no others
urls = deploy_endpoints(base)  # a load balancer for each web interface

metrics = deploy_metrics(base, urls)  # alert rules, scrape jobs, Alertmanager, Prometheus
elastic_operator = deploy_elastic_operator(base)
logs = deploy_logs(base, urls, metrics, elastic_operator)  # Elasticsearch, Kibana, the index, Logstash, Filebeat
traces = deploy_traces(base, elastic_operator)  # Elasticsearch, Jaeger
deploy_application(base, traces)  # how MangakAI's pods reach Sentry and Jaeger
deploy_grafana(base, urls, metrics, logs, traces)
deploy_backups(base, metrics, logs, traces)  # beside the containers in the pods of Prometheus and Grafana

pulumi.export("namespace", MONITORING)
pulumi.export("otlpEndpoint", traces.jaeger.otlp)
pulumi.export("urls", {**urls, "otlp": traces.jaeger.otlp})
for name, url in urls.items():
    pulumi.export(f"{name}Url", url)
