{{- define "ingress.labels" -}}
app.kubernetes.io/name: ingress
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "ingress.gateway" -}}
matchLabels: {istio: ingressgateway}
{{- end }}

{{- /* All applications, as YAML: the platform's, and the others if they leave these, their namespaces and groups alone. */ -}}
{{- define "ingress.applications" -}}
{{- $own := dict }}
{{- $kept := list }}
{{- $services := list }}
{{- $groups := list }}
{{- range .Values.platform }}
{{- $own = .applications }}
{{- $kept = .namespaces }}
{{- end }}
{{- range $name, $application := $own }}
{{- range include "ingress.services" $application | fromYamlArray }}{{- $services = append $services . }}{{- end }}
{{- range $application.groups }}{{- $groups = append $groups . }}{{- end }}
{{- end }}
{{- range $name, $application := .Values.applications }}
{{- if hasKey $own $name }}
{{- fail (printf "applications.%s: an application of the platform has this name; give yours another" $name) }}
{{- end }}
{{- range include "ingress.services" $application | fromYamlArray }}
{{- if or (has . $services) (has (index (splitList "." .) 1) $kept) }}
{{- fail (printf "applications.%s: %s is the platform's; the settings (ingress.applications) can expose it, and routes.yaml cannot" $name .) }}
{{- end }}
{{- end }}
{{- range $application.groups }}
{{- if has . $groups }}
{{- fail (printf "applications.%s: the group %s is the platform's; only the settings (ingress.applications) can say it of somebody" $name .) }}
{{- end }}
{{- end }}
{{- end }}
{{- merge (dict) $own .Values.applications | toYaml }}
{{- end }}

{{- /* The services that an application leads to, as a YAML list. */ -}}
{{- define "ingress.services" -}}
{{- $services := list }}
{{- range .to }}{{- $services = append $services .service }}{{- end }}
{{- range .routes }}{{- range .to }}{{- $services = append $services .service }}{{- end }}{{- end }}
{{- toYaml $services }}
{{- end }}

{{- /* The full host of an application: dict "name" "application" "domain". */ -}}
{{- define "ingress.host" -}}
{{ .application.host | default .name }}.{{ .domain }}
{{- end }}

{{- /* Destinations with shares that add up to 100, or a plain one. */ -}}
{{- define "ingress.targets" -}}
{{- $sum := 0 }}
{{- range .targets }}{{- $sum = add $sum (.weight | default 0) }}{{- end }}
{{- $several := gt (len .targets) 1 }}
{{- if and $several (ne (int $sum) 100) }}
{{- fail (printf "applications.%s: the weights of its targets add up to %d; make them 100" .name (int $sum)) }}
{{- end }}
{{- if and (not $several) (hasKey (first .targets) "weight") (ne (int (first .targets).weight) 100) }}
{{- fail (printf "applications.%s: a single target takes all requests; make its weight 100, or add the target that takes the rest" .name) }}
{{- end }}
{{- range .targets }}
- destination:
    host: {{ printf "%s.svc.cluster.local" .service | quote }}
    port: {number: {{ .port }}}
  {{- if $several }}
  weight: {{ .weight | default 0 }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* A path that may end in a star, as a virtual service says it. */ -}}
{{- define "ingress.uri" -}}
{{- if hasSuffix "*" . }}{prefix: {{ trimSuffix "*" . | quote }}}{{ else }}{exact: {{ . | quote }}}{{ end }}
{{- end }}

{{- /* What is done to request headers: the groups are ours to say, and what the application must not hear from clients goes. */ -}}
{{- define "ingress.headers" -}}
request:
{{- if .groups }}
  set: {x-auth-request-groups: {{ join "," .groups | quote }}}
{{- end }}
{{- $drop := .drop | default list }}
{{- if not .groups }}{{- $drop = append $drop "x-auth-request-groups" }}{{- end }}
{{- with $drop }}
  remove: {{ toJson . }}
{{- end }}
{{- end }}
