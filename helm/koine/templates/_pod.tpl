{{/* What all pods of the chart have in common: the restricted Pod Security Standard, and one container. */}}

{{- define "koine.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ int64 . }}
runAsGroup: {{ int64 . }}
fsGroup: {{ int64 . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "koine.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* A pod's settings that do not depend on what it runs. */}}
{{- define "koine.podBasics" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "koine.podSecurity" . | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "koine.probe" -}}
httpGet:
  path: {{ .path }}
  port: http
periodSeconds: {{ int .times.periodSeconds }}
timeoutSeconds: {{ int .times.timeoutSeconds }}
failureThreshold: {{ int .times.failureThreshold }}
{{- end }}

{{/* The pod of the translator. */}}
{{- define "koine.pod" -}}
metadata:
  annotations:
    checksum/config: {{ include "koine.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "koine.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "koine.serviceAccount" . }}
  terminationGracePeriodSeconds: {{ include "koine.gracePeriod" . }}
  {{- include "koine.podBasics" . | nindent 2 }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "koine.selector" $ | nindent 10 }}
      {{- if eq (include "koine.workload" $) "Deployment" }}
      # Pods of the last version go, and do not count.
      matchLabelKeys: [pod-template-hash]
      {{- end }}
    {{- end }}
    {{- end }}
  containers:
    - name: koine
      image: {{ include "koine.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - run
        - --config
        - /etc/koine/config/koine.yaml
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      {{- $env := include "koine.podEnv" . }}
      {{- with trim $env }}
      env:
        {{- . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: {{ include "koine.httpPort" . }}
      startupProbe:
        {{- include "koine.probe" (dict "path" "/livez" "times" .Values.probes.startup) | nindent 8 }}
      livenessProbe:
        {{- include "koine.probe" (dict "path" "/livez" "times" .Values.probes.liveness) | nindent 8 }}
      readinessProbe:
        {{- include "koine.probe" (dict "path" "/readyz" "times" .Values.probes.readiness) | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- include "koine.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/koine/config
          readOnly: true
        {{- if .Values.files }}
        - name: files
          mountPath: {{ include "koine.filesAt" . }}
          readOnly: true
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "koine.fullname" . }}
        items:
          - key: koine.yaml
            path: koine.yaml
    {{- if .Values.files }}
    {{- include "koine.filesVolume" .Values.files | nindent 4 }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* The translator's variables: who it is, its secrets, and what else is wanted. */}}
{{- define "koine.podEnv" -}}
{{- if ne .Values.identity "none" }}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: KOINE__KAFKA__INSTANCE
  value: $(POD_NAMESPACE).$(POD_NAME)
{{- if eq .Values.identity "static" }}
- name: KOINE__KAFKA__PROPERTIES__GROUP_INSTANCE_ID
  value: $(POD_NAMESPACE).$(POD_NAME)
{{- end }}
{{- end }}
{{- include "koine.env" .Values.variables }}
{{- range .Values.extraEnv }}
- name: {{ .name }}
  value: {{ .value | quote }}
{{- end }}
{{- end }}
