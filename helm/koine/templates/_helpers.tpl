{{/* Names and labels. */}}

{{- define "koine.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 45 characters, so that there is room for what is put behind it. */}}
{{- define "koine.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 45 | trimSuffix "-" }}
{{- else if contains (include "koine.name" .) .Release.Name -}}
{{ .Release.Name | trunc 45 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "koine.name" .) | trunc 45 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "koine.serviceAccount" -}}
{{ default (ternary (include "koine.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{/* By these a workload finds its pods; they never change. */}}
{{- define "koine.selector" -}}
app.kubernetes.io/name: {{ include "koine.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: translator
{{- end }}

{{/* Without a component: the hooks' pods are not the translator's, and no PodMonitor, budget or spread counts them. */}}
{{- define "koine.commonLabels" -}}
app.kubernetes.io/name: {{ include "koine.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "koine.labels" -}}
{{ include "koine.commonLabels" . }}
app.kubernetes.io/component: translator
{{- end }}

{{- define "koine.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{/* What runs the pods, for whoever scales it. */}}
{{- define "koine.workload" -}}
{{ ternary "Deployment" "StatefulSet" (eq .Values.identity "none") }}
{{- end }}

{{/* Seconds of a time such as 8s, 500ms or 2m, rounded up. */}}
{{- define "koine.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- if eq $unit "ms" -}}{{ div (add $number 999) 1000 }}
{{- else if eq $unit "s" -}}{{ $number }}
{{- else if eq $unit "h" -}}{{ mul $number 3600 }}
{{- else -}}{{ mul $number 60 }}
{{- end -}}
{{- end }}

{{/* After the drain the group is left and the clients are closed, for which koine takes 5 s at most; the rest is reserve. */}}
{{- define "koine.gracePeriod" -}}
{{- $drain := include "koine.seconds" .Values.config.shutdown.drain | int64 -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if and $given (lt (int64 $given) (add $drain 6)) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, and config.shutdown.drain is %s: it has to be at least 6 s longer, or pods are killed while they leave" (int64 $given) .Values.config.shutdown.drain) -}}
{{- end -}}
{{ default (add $drain 22) $given | int64 }}
{{- end }}

{{/* The port of config.http.listen. */}}
{{- define "koine.httpPort" -}}
{{- $listen := .Values.config.http.listen -}}
{{- $port := regexFind "[0-9]+$" $listen -}}
{{- if or (eq $port "0") (eq $port "") (regexMatch "^(127\\.|\\[::1\\])" $listen) -}}
{{- fail (printf "config.http.listen is %s: probes and Prometheus have to reach it, at a port that is known, such as 0.0.0.0:9464" $listen) -}}
{{- end -}}
{{ $port }}
{{- end }}
