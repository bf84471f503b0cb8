{{/* Ports that the configuration names. */}}

{{/* Of the brokers, as JSON. */}}
{{- define "koine.kafkaPorts" -}}
{{- $ports := list -}}
{{- $servers := default list .Values.config.kafka.bootstrap_servers -}}
{{- if kindIs "string" $servers -}}{{- $servers = splitList "," $servers -}}{{- end -}}
{{- range $servers -}}
{{- $port := regexFind "[0-9]+$" (trim .) -}}
{{- if eq $port "" -}}{{- fail (printf "config.kafka.bootstrap_servers: `%s` should be host:port" .) -}}{{- end -}}
{{- $ports = append $ports (int $port) -}}
{{- end -}}
{{- range .Values.networkPolicy.kafkaPorts -}}{{- $ports = append $ports (int .) -}}{{- end -}}
{{- uniq $ports | toJson -}}
{{- end }}

{{/* Of addresses, as JSON. */}}
{{- define "koine.urlPorts" -}}
{{- $ports := list -}}
{{- range compact . -}}
{{- $host := (urlParse .).host -}}
{{- $port := regexFind ":[0-9]+$" $host | trimPrefix ":" -}}
{{- if eq $port "" -}}{{- $port = ternary "443" "80" (hasPrefix "https:" .) -}}{{- end -}}
{{- $ports = append $ports (int $port) -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end }}

{{/* One egress rule: ports, and to whom; no ports, no rule. */}}
{{- define "koine.egress" -}}
{{- with .ports }}
- ports:
    {{- range . }}
    - protocol: TCP
      port: {{ . }}
    {{- end }}
  {{- with $.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Egress to whom names are asked. */}}
{{- define "koine.dns" -}}
- ports:
    - protocol: UDP
      port: 53
    - protocol: TCP
      port: 53
{{- end }}
