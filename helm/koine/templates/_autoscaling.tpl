{{/* The most pods: a group's member without a partition has nothing to do. */}}
{{- define "koine.maxReplicas" -}}
{{- $scaling := .Values.autoscaling -}}
{{- $workers := .Values.config.workers -}}
{{- if kindIs "string" $workers -}}
{{- fail "autoscaling: config.workers is auto, so nobody knows how many partitions a pod reads; set a number" -}}
{{- end -}}
{{- if not $scaling.partitions -}}
{{- fail "autoscaling.partitions is not set: how many raw partitions the group reads, all topics together" -}}
{{- end -}}
{{- $most := max 1 (div (int $scaling.partitions) (int $workers)) -}}
{{- $asked := int (default $most $scaling.maxReplicas) -}}
{{- if gt $asked (int $most) -}}
{{- fail (printf "autoscaling.maxReplicas is %d: %d partitions by %d workers in a pod keep %d pods busy" $asked (int $scaling.partitions) (int $workers) (int $most)) -}}
{{- end -}}
{{- if gt (int $scaling.minReplicas) $asked -}}
{{- fail (printf "autoscaling.minReplicas is %d, and there are never more than %d pods" (int $scaling.minReplicas) $asked) -}}
{{- end -}}
{{ $asked }}
{{- end }}

{{/* What KEDA calls librdkafka's way to log in; empty: none. */}}
{{- define "koine.kedaSasl" -}}
{{- $properties := .Values.config.kafka.properties -}}
{{- $protocol := default "" (index $properties "security.protocol") | upper -}}
{{- $mechanism := default "" (coalesce (index $properties "sasl.mechanism") (index $properties "sasl.mechanisms")) -}}
{{- if or .Values.config.kafka.oauth (eq $mechanism "OAUTHBEARER") -}}
{{- fail "autoscaling.keda: with OAUTHBEARER set autoscaling.keda.authenticationRef to a TriggerAuthentication of your own" -}}
{{- end -}}
{{- if hasPrefix "SASL_" $protocol -}}
{{- $known := dict "PLAIN" "plaintext" "SCRAM-SHA-256" "scram_sha256" "SCRAM-SHA-512" "scram_sha512" -}}
{{- if not (hasKey $known $mechanism) -}}
{{- fail (printf "autoscaling.keda: there is no way known from sasl.mechanism %s to KEDA's; set autoscaling.keda.authenticationRef" $mechanism) -}}
{{- end -}}
{{ index $known $mechanism }}
{{- end -}}
{{- end }}

{{/* Whether it speaks TLS to the brokers; empty: no. */}}
{{- define "koine.kedaTls" -}}
{{- if hasSuffix "SSL" (default "" (index .Values.config.kafka.properties "security.protocol") | upper) -}}enable{{- end -}}
{{- end }}
