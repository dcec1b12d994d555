{{- define "server.selector" -}}
app.kubernetes.io/component: server
app.kubernetes.io/name: prometheus
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "server.metadata" -}}
name: {{ .Values.server.fullnameOverride }}
namespace: {{ .Release.Namespace }}
labels: {{- include "server.labels" . | nindent 2 }}
{{- end }}

{{- define "server.labels" -}}
{{ include "server.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
app.kubernetes.io/part-of: prometheus
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* A subchart's labels; it takes a list: the context, the subchart's name, the version of its program. */ -}}
{{- define "subchart.labels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: metrics
app.kubernetes.io/part-of: {{ index . 1 }}
app.kubernetes.io/version: {{ index . 2 | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 1) $root.Chart.Version | replace "+" "_" }}
{{- end }}
