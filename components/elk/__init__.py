"""Logs: Elasticsearch, Logstash, Kibana and Filebeat, run by Elastic's operator."""
