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

{{/* The claim of that volume. */}}
{{- define "hearth.claim" -}}
{{ .Values.persistence.existingClaim | default "hearth-history" }}
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
