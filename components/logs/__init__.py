"""Logs: Filebeat to Logstash to Elasticsearch, shown by Kibana."""
