{{- define "labels" -}}
app.kubernetes.io/name: jaeger-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "metadata" -}}
name: {{ .Release.Name }}
namespace: {{ .Release.Namespace }}
labels: {{- include "labels" . | nindent 2 }}
{{- end }}

{{- /* A webhook for CREATE and UPDATE; it takes: namespace, name, path, failurePolicy, group, resource. */ -}}
{{- define "webhook" -}}
name: {{ .name }}
admissionReviewVersions: [v1]
clientConfig:
  service: {name: jaeger-operator-webhook-service, namespace: {{ .namespace }}, path: {{ .path }}}
failurePolicy: {{ .failurePolicy }}
sideEffects: None
rules:
  - {apiGroups: [{{ .group }}], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [{{ .resource }}]}
{{- end }}
