{{/* koine.yaml, and where its secrets come from. No secret is in it: each is a file or a variable whose Secret is named. */}}

{{/* Where `files` are mounted, each under its setting's name. */}}
{{- define "koine.filesAt" -}}/etc/koine/files{{- end }}

{{/* Whether a property of librdkafka holds a secret, as src/config/settings.rs tells it; empty: it does not. */}}
{{- define "koine.isSecretProperty" -}}
{{- $name := lower . -}}
{{- if not (or (hasSuffix "_file" $name) (hasSuffix ".url" $name)) -}}
{{- if regexMatch "password|secret|passphrase|token|key\\.pem|^sasl\\.oauthbearer\\.config$|^sasl\\.jaas\\.config$|^ssl_key$" $name -}}yes{{- end -}}
{{- end -}}
{{- end }}

{{/* Whether a setting of koine's own is a secret, rather than a file; empty: it is not. */}}
{{- define "koine.isSecretSetting" -}}
{{- if regexMatch "(^|\\.)(password|bearer_token|client_secret)$|^privacy\\.key$" . -}}yes{{- end -}}
{{- end }}

{{/* What values.schema.json cannot say, each with its cure. */}}
{{- define "koine.check" -}}
{{- $config := .Values.config -}}
{{- range $name, $value := $config.kafka.properties -}}
{{- if include "koine.isSecretProperty" $name -}}
{{- fail (printf "config.kafka.properties.%s is a secret, and would stand in a ConfigMap: put it into a Secret, and name that in files or variables as kafka.properties.%s" $name $name) -}}
{{- end -}}
{{- end -}}
{{- range $from := list "files" "variables" -}}
{{- range $setting, $reference := index $.Values $from -}}
{{- $property := trimPrefix "kafka.properties." $setting -}}
{{- if and (hasPrefix "kafka.properties." $setting) $reference.configMap (include "koine.isSecretProperty" $property) -}}
{{- fail (printf "files.%s is a secret, and names a ConfigMap: put it into a Secret" $setting) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $setting, $_ := .Values.files -}}
{{- if hasKey $.Values.variables $setting -}}
{{- fail (printf "%s is both in files and in variables" $setting) -}}
{{- end -}}
{{- end -}}
{{- if not (or $config.kafka.bootstrap_servers (hasKey .Values.variables "kafka.bootstrap_servers")) -}}
{{- fail "config.kafka.bootstrap_servers is not set: a list of host:port" -}}
{{- end -}}
{{- if not (or $config.registry.url (hasKey .Values.variables "registry.url")) -}}
{{- fail "config.registry.url is not set: http://… or https://…" -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if hasPrefix "KOINE__" .name -}}
{{- fail (printf "extraEnv has %s: settings are set in config, and secrets in files or variables" .name) -}}
{{- end -}}
{{- end -}}
{{- $many := or (ne .Values.autoscaling.kind "none") (gt (int .Values.replicas) 1) -}}
{{- $name := or $config.kafka.instance (hasKey .Values.variables "kafka.instance") -}}
{{- if and $name (or $many (ne .Values.identity "none")) -}}
{{- fail "kafka.instance is set, and all pods would have it: two processes with one name fence each other for ever. Set identity: instance, which gives each pod its own" -}}
{{- end -}}
{{- $member := or (hasKey $config.kafka.properties "group.instance.id") (hasKey .Values.variables "kafka.properties.group.instance.id") -}}
{{- if and $member (or $many (ne .Values.identity "none")) -}}
{{- fail "kafka.properties.group.instance.id is set, and all pods would have it: they would throw each other out of the group. Set identity: static, which gives each pod its own" -}}
{{- end -}}
{{- end }}

{{/* The configuration as YAML: what `config` says, with the paths of `files`. */}}
{{- define "koine.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if not $config.sources -}}{{- $_ := unset $config "sources" -}}{{- end -}}
{{- $at := include "koine.filesAt" . -}}
{{- range $setting, $_ := .Values.files -}}
{{- $path := printf "%s/%s" $at $setting -}}
{{- if hasPrefix "kafka.properties." $setting -}}
{{- $property := trimPrefix "kafka.properties." $setting -}}
{{- $key := ternary (printf "%s_file" $property) $property (eq (include "koine.isSecretProperty" $property) "yes") -}}
{{- $_ := set $config.kafka.properties $key $path -}}
{{- else -}}
{{- $section := $config -}}
{{- $names := splitList "." $setting -}}
{{- range initial $names -}}
{{- if not (hasKey $section .) -}}{{- $_ := set $section . dict -}}{{- end -}}
{{- $section = index $section . -}}
{{- end -}}
{{- $key := ternary (printf "%s_file" (last $names)) (last $names) (eq (include "koine.isSecretSetting" $setting) "yes") -}}
{{- $_ := set $section $key $path -}}
{{- end -}}
{{- end -}}
{{ toYaml $config }}
{{- end }}

{{/* The part of it that a question to the registry needs. */}}
{{- define "koine.registryConfig" -}}
{{ pick (include "koine.config" . | fromYaml) "registry" "topics" "log" | toYaml }}
{{- end }}

{{/* The same values with what concerns the registry alone: a hook gets no key to the brokers. */}}
{{- define "koine.registryOnly" -}}
{{- $kept := dict -}}
{{- range $setting, $reference := . -}}
{{- if hasPrefix "registry." $setting -}}{{- $_ := set $kept $setting $reference -}}{{- end -}}
{{- end -}}
{{ toYaml $kept }}
{{- end }}

{{/* The variable of a setting. */}}
{{- define "koine.variable" -}}
{{- if hasPrefix "kafka.properties." . -}}
KOINE__KAFKA__PROPERTIES__{{ trimPrefix "kafka.properties." . | replace "." "_" | upper }}
{{- else -}}
KOINE__{{ replace "." "__" . | upper }}
{{- end -}}
{{- end }}

{{/* `variables` as a container's env; "setting" → reference. */}}
{{- define "koine.env" -}}
{{- range $setting, $reference := . }}
- name: {{ include "koine.variable" $setting }}
  valueFrom:
    secretKeyRef:
      name: {{ $reference.secret | quote }}
      key: {{ $reference.key | quote }}
{{- end }}
{{- end }}

{{/* `files` as one projected volume: all of them change at once, so that a certificate and its key belong together. */}}
{{- define "koine.filesVolume" -}}
- name: files
  projected:
    defaultMode: 0440
    sources:
      {{- range $setting, $reference := . }}
      - {{ ternary "configMap" "secret" (hasKey $reference "configMap") }}:
          name: {{ default $reference.secret $reference.configMap | quote }}
          items:
            - key: {{ $reference.key | quote }}
              path: {{ $setting | quote }}
      {{- end }}
{{- end }}

{{/* The raw topics, from config.sources or as koine has them where there are none: names and patterns. */}}
{{- define "koine.raw" -}}
{{- $names := list -}}
{{- if .Values.config.sources -}}
{{- range .Values.config.sources -}}
{{- $topics := default list .topics -}}
{{- if kindIs "string" $topics -}}{{- $topics = splitList "," $topics -}}{{- end -}}
{{- range $topics -}}{{- $names = append $names (trim .) -}}{{- end -}}
{{- end -}}
{{- else -}}
{{- range list "bspk" "spree" "composer" "bold" -}}
{{- $names = append $names (printf "%sraw.%s" $.Values.config.topics.prefix .) -}}
{{- end -}}
{{- end -}}
{{ uniq $names | toJson }}
{{- end }}

{{/* The canonical topics, prefix included. */}}
{{- define "koine.canonical" -}}
{{- $topics := .Values.config.topics -}}
{{- $names := list -}}
{{- range list "customer" "cart" "order" "product" -}}
{{- $names = append $names (printf "%s%s" $topics.prefix (index $topics .)) -}}
{{- end -}}
{{ toJson $names }}
{{- end }}

{{/* How every topic that a pattern matches begins. */}}
{{- define "koine.beginning" -}}
{{- $flat := regexReplaceAll "\\[[^]]*\\]" . "" -}}
{{- range until 4 -}}{{- $flat = regexReplaceAll "\\([^()]*\\)" $flat "" -}}{{- end -}}
{{- $begins := regexFind "^\\^(\\\\.|[A-Za-z0-9_-])*" . -}}
{{- $next := trimPrefix $begins . -}}
{{- if regexMatch "^[*?{]" $next -}}{{- $begins = regexReplaceAll "(\\\\.|[A-Za-z0-9_-])$" $begins "" -}}{{- end -}}
{{- $begins = $begins | trimPrefix "^" | replace "\\" "" -}}
{{- if or (contains "|" $flat) (eq $begins "") -}}
{{- fail (printf "the pattern %s of config.sources does not say how its topics' names begin, so that no right can be given for them: make it begin with a name, such as ^raw\\.spree\\." .) -}}
{{- end -}}
{{ $begins }}
{{- end }}
