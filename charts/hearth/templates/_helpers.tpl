{{/* Labels of every object of the release. */}}
{{- define "hearth.labels" -}}
app.kubernetes.io/name: hearth
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: hearth
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels by which the operator's pods are found: by the Service, by kubectl hearth and by the pre-delete hook. */}}
{{- define "hearth.selector" -}}
app.kubernetes.io/name: hearth
app.kubernetes.io/component: operator
{{- end }}

{{/* The operator's image. */}}
{{- define "hearth.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Not empty when history is in a SQLite file on a volume. */}}
{{- define "hearth.file" -}}
{{- if not .Values.database.existingSecret }}/var/lib/hearth/history.db{{ end -}}
{{- end }}

{{/* Not empty when artifacts are in a folder of that volume. */}}
{{- define "hearth.artifactsFolder" -}}
{{- if and .Values.artifacts.enabled (eq .Values.mode "single") (not .Values.artifacts.s3.bucket) }}/var/lib/hearth/artifacts{{ end -}}
{{- end }}

{{/* Not empty when steps may have artifacts. */}}
{{- define "hearth.artifacts" -}}
{{- if and .Values.artifacts.enabled (or .Values.artifacts.s3.bucket (include "hearth.artifactsFolder" .)) }}true{{ end -}}
{{- end }}

{{/* Not empty when there is a volume. */}}
{{- define "hearth.volume" -}}
{{- if or (include "hearth.file" .) (include "hearth.artifactsFolder" .) }}/var/lib/hearth{{ end -}}
{{- end }}

{{/* The claim of that volume. */}}
{{- define "hearth.claim" -}}
{{ .Values.persistence.existingClaim | default "hearth-data" }}
{{- end }}

{{/* An image that runs in pods of steps: by default it lies beside the operator's, under the same tag. */}}
{{- define "hearth.runtimeImage" -}}
{{- $root := index . 0 }}{{ $name := index . 1 -}}
{{- $registry := $root.Values.runtimes.registry | default (dir $root.Values.image.repository) -}}
{{- with index $root.Values.runtimes.digests $name -}}
{{ $registry }}/{{ $name }}@{{ . }}
{{- else -}}
{{ $registry }}/{{ $name }}:{{ $root.Values.runtimes.tag | default $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The catalog of runtimes: ours, and over them what the values say. */}}
{{- define "hearth.catalog" -}}
{{- $catalog := dict }}
{{- range $path, $_ := .Files.Glob "files/runtimes/*.json" }}
{{- $name := base $path | trimSuffix ".json" }}
{{- $entry := $.Files.Get $path | fromJson }}
{{- $_ := set $entry "image" (include "hearth.runtimeImage" (list $ $name)) }}
{{- $_ := set $catalog $name $entry }}
{{- end }}
{{- mergeOverwrite $catalog (deepCopy .Values.runtimes.catalog) | toJson }}
{{- end }}

{{/* Where the operator's pods go: replicas keep apart from each other if they can. */}}
{{- define "hearth.affinity" -}}
{{- $apart := dict "podAntiAffinity" (dict "preferredDuringSchedulingIgnoredDuringExecution" (list (dict
      "weight" 100
      "podAffinityTerm" (dict
        "topologyKey" "kubernetes.io/hostname"
        "labelSelector" (dict "matchLabels" (include "hearth.selector" . | fromYaml)))))) }}
{{- $affinity := deepCopy .Values.affinity }}
{{- if eq .Values.mode "ha" }}
{{- $affinity = merge $affinity $apart }}
{{- end }}
{{- with $affinity }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/* A container that may do nothing on its node. */}}
{{- define "hearth.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
{{- end }}

{{- define "hearth.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- if not (kindIs "invalid" .Values.pods.runAs) }}
runAsUser: 65532
runAsGroup: 65532
{{- end }}
{{- end }}

{{/* A condition of admission policies: the request is not the operator's own. */}}
{{- define "hearth.notTheOperator" -}}
- name: not-the-operator
  expression: request.userInfo.username != 'system:serviceaccount:{{ .Release.Namespace }}:hearth'
{{- end }}
