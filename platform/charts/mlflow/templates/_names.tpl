{{/* Host names that the server answers to: its Service's, the pod's own address (for probes), and the configured ones. */}}
{{- define "mlflow.hosts" -}}
{{- $service := printf "mlflow.%s" .Release.Namespace -}}
{{- $own := list "mlflow" $service (printf "%s.svc" $service) (printf "%s.svc.cluster.local" $service) "localhost:*" "10.*" -}}
{{- concat $own .Values.hosts | join "," -}}
{{- end -}}

{{/* Origins that browsers tell when the web UI, at one of the configured hosts, changes something. */}}
{{- define "mlflow.origins" -}}
{{- $origins := list -}}
{{- range .Values.hosts -}}
{{- $origins = printf "https://%s" (trimSuffix ":443" .) | append $origins -}}
{{- end -}}
{{- $origins | uniq | join "," -}}
{{- end -}}
