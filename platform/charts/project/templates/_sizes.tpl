{{/* What each size may use; a container that says nothing gets `default`. */}}
{{- define "project.sizes" -}}
small:  {cpu: "4",  memory: 16Gi,  storage: 50Gi,  pods: "30",  claims: "10"}
medium: {cpu: "16", memory: 64Gi,  storage: 200Gi, pods: "100", claims: "30"}
large:  {cpu: "64", memory: 256Gi, storage: 1Ti,   pods: "300", claims: "100"}
{{- end -}}

{{/* Labels of everything in the namespace. */}}
{{- define "project.labels" -}}
app.kubernetes.io/part-of: projects
mlops.platform/project-name: {{ .Values.fileName | quote }}
{{- end -}}
