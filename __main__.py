"""Everything that watches MangakAI: settings in, components in their order, outputs out."""

import pulumi

from components import alert_rules, alertmanager, application, grafana, jaeger, prometheus, scrape_configs
from components.backup import BackupProgram, Backups, BackupsArgs, Target
from components.charts import Charts
from components.cluster import connect
from components.elk import access, elasticsearch, exporter, filebeat, kibana, log_index, logstash, operator
from components.endpoint import Endpoint, EndpointArgs
from components.names import AGENTS, MONITORING
from components.namespace import Namespaces, NamespacesArgs
from components.secrets import MonitoringSecrets, MonitoringSecretsArgs
from components.settings import read_stack
from components.site import Site

settings, secrets = read_stack()
charts = Charts(settings.charts, settings.cluster.context)
provider = connect(settings)
app, logs, traces, web = settings.application, settings.logs, settings.traces, settings.exposure
volumes, mail, ratio = settings.storage, settings.alertmanager, app.open_telemetry.sample_ratio
ground: list[pulumi.Resource] = []


def after(*others: pulumi.Resource) -> pulumi.ResourceOptions:
    """Return the options of a component that comes after the ground and `others`, and goes before them."""
    return pulumi.ResourceOptions(providers=[provider], depends_on=[*ground, *others])


site, nodes = (Site(name, charts, volumes.storage_class, volumes.keep_data) for name in (MONITORING, AGENTS))
ground.append(Namespaces("namespaces", NamespacesArgs(volumes.keep_data), after()))
domain, saved = None, None
if settings.aws:
    from components.aws import Aws, AwsArgs

    store, other = settings.prometheus.remote_write, settings.backup.other_bucket
    aws_args = AwsArgs(settings.aws, settings.cluster, volumes, web, store, other, provider)
    aws = Aws("aws", aws_args, after())
    ground.append(aws)
    domain = aws.domain
    saved = Target(aws.backup_bucket, settings.cluster.region, aws.role_arns, settings.backup)
    ground.append(BackupProgram("backup-program", after()))
    pulumi.export("backupBucket", aws.backup_bucket)
ground.append(MonitoringSecrets("secrets", MonitoringSecretsArgs(site.namespace, secrets), after()))

fronts = {"prometheus": prometheus, "alertmanager": alertmanager, "grafana": grafana, "kibana": kibana}
fronts |= {"jaeger": jaeger} if web.jaeger else {}
urls = {
    name: Endpoint(name, EndpointArgs(MONITORING, part.SELECTOR, part.PORT, web, part is kibana, domain), after()).url
    for name, part in fronts.items()
}

rules = alert_rules.AlertRules("rules", alert_rules.AlertRulesArgs(MONITORING, settings.alerts, app.namespace), after())
job_args = scrape_configs.ScrapeConfigsArgs(MONITORING, app, web, saved is not None)
jobs = scrape_configs.ScrapeConfigs("jobs", job_args, after())
alerts = alertmanager.Alertmanager("alertmanager", alertmanager.AlertmanagerArgs(site, mail, urls, web), after())
url = urls["prometheus"]
prom_args = prometheus.PrometheusArgs(site, nodes, settings.prometheus, settings.cluster, url, web, saved)
metrics = prometheus.Prometheus("prometheus", prom_args, after(rules, jobs, alerts))

eck_args = operator.ElasticOperatorArgs(site, nodes, settings.cluster.admission_webhooks)
eck = operator.ElasticOperator("elastic-operator", eck_args, after())
log_args = elasticsearch.ElasticsearchArgs(site, logs.elasticsearch, access.logs(secrets), saved)
log_store = elasticsearch.Elasticsearch("mangakai-logs", log_args, after(eck))
pages = kibana.Kibana("kibana", kibana.KibanaArgs(site, logs.kibana, log_store.store, urls["kibana"]), after(log_store))
log_index.LogIndex("log-index", log_index.LogIndexArgs(site, log_store.store, logs.retention_days), after(pages))
seed = secrets.derive("filebeat@logstash")
mailer = logstash.Alerts(alerts.url, web.authentication, settings.cluster.name)
ship_args = logstash.LogstashArgs(site, logs.logstash, log_store.store, seed, mailer)
shipping = logstash.Logstash("logstash", ship_args, after(log_store, alerts))
beat_args = filebeat.FilebeatArgs(nodes, logs.filebeat, log_store.store, shipping.beats, app.namespace, seed)
filebeat.Filebeat("filebeat", beat_args, after(shipping))

span_args = elasticsearch.ElasticsearchArgs(site, traces.elasticsearch, access.traces(secrets), saved)
span_store = elasticsearch.Elasticsearch("mangakai-traces", span_args, after(eck))
for cluster in (log_store, span_store):
    exporter.Exporter(f"{cluster.store.cluster}-exporter", exporter.ExporterArgs(site, cluster.store), after(cluster))
tracing = jaeger.Jaeger("jaeger", jaeger.JaegerArgs(site, traces, ratio, span_store.store, span_store), after())
app_args = application.ApplicationArgs(app, settings.cluster.name, secrets.sentry_dsn, tracing.otlp)
application.Application("application", app_args, after(tracing))

sources = grafana.Datasources(metrics.url, alerts.url, web.authentication, log_store.store, tracing.query)
grafana_args = grafana.GrafanaArgs(site, settings.grafana, urls["grafana"], sources, saved)
grafana.Grafana("grafana", grafana_args, after(log_store))

if saved:
    saving = BackupsArgs(site, saved, [log_store.store, span_store.store], alerts.url, web.authentication)
    Backups("backup", saving, after(alerts, log_store, span_store))

for name, url in urls.items():
    pulumi.export(f"{name}Url", url)
pulumi.export("otlpEndpoint", tracing.otlp)
pulumi.export("urls", {**urls, "otlp": tracing.otlp})
pulumi.export("namespace", MONITORING)
