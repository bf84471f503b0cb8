{{/* One KafkaTopic: what doctor wants of it, kept when the release goes. */}}
{{- define "koine.kafkaTopic" -}}
{{- $strimzi := .root.Values.strimzi -}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata:
  # A topic's name may have what an object's may not; two that differ in that alone get different sums.
  name: {{ ternary .topic (printf "%s-%s" (lower .topic | replace "_" "-" | trunc 200 | trimAll "-.") (sha256sum .topic | trunc 8)) (regexMatch "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$" .topic) }}
  {{- with $strimzi.namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "koine.commonLabels" .root | nindent 4 }}
    app.kubernetes.io/component: topics
    strimzi.io/cluster: {{ $strimzi.cluster }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  topicName: {{ .topic }}
  partitions: {{ int $strimzi.topics.partitions }}
  replicas: {{ int $strimzi.topics.replicas }}
  config:
    cleanup.policy: delete
    retention.ms: {{ int64 .retention }}
    max.message.bytes: {{ int64 .bytes }}
    min.insync.replicas: {{ int $strimzi.topics.minInsyncReplicas }}
    # A record carries its raw record's time, however old that is.
    message.timestamp.type: CreateTime
    message.timestamp.before.max.ms: 9223372036854775807
{{ end }}

{{/* One rule for the KafkaUser. */}}
{{- define "koine.acl" -}}
- resource:
    type: {{ .type }}
    {{- with .name }}
    name: {{ . | quote }}
    patternType: {{ default "literal" $.pattern }}
    {{- end }}
  operations: [{{ join ", " .operations }}]
{{ end }}

{{/* The topics and patterns that a list of raw ones comes to, as rules: the operations, and what is put before a name. */}}
{{- define "koine.topicAcls" -}}
{{- range .topics -}}
{{- if hasPrefix "^" . -}}
{{ include "koine.acl" (dict "type" "topic" "name" (printf "%s%s" $.before (include "koine.beginning" .)) "pattern" "prefix" "operations" $.operations) }}
{{- else -}}
{{ include "koine.acl" (dict "type" "topic" "name" (printf "%s%s" $.before .) "operations" $.operations) }}
{{- end -}}
{{- end -}}
{{- end }}
