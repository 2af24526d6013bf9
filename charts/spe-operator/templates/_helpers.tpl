{{/* Names, labels and rules that several objects share. Nothing here is rendered by itself. */}}

{{- define "spe-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "spe-operator.fullname" -}}
{{- $name := include "spe-operator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "spe-operator.selector" -}}
app.kubernetes.io/name: {{ include "spe-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "spe-operator.labels" -}}
{{ include "spe-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "spe-operator.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "spe-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "spe-operator.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The namespaces to watch, as a JSON array; empty: all. */}}
{{- define "spe-operator.watched" -}}
{{- if .Values.watchNamespaces -}}
{{- .Values.watchNamespaces | uniq | toJson -}}
{{- else if eq .Values.rbac.scope "namespaced" -}}
{{- list .Release.Namespace | toJson -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{- define "spe-operator.lease" -}}
{{- default (include "spe-operator.fullname" .) .Values.leaderElection.name -}}
{{- end -}}

{{/* "true" if the operator may write ConfigMaps. */}}
{{- define "spe-operator.writesOutput" -}}
{{- $enabled := .Values.integrations.outputConfigMap.enabled | toString -}}
{{- if or (eq $enabled "true") (and (eq $enabled "auto") (eq .Values.rbac.scope "namespaced")) -}}
true
{{- end -}}
{{- end -}}

{{/* What the operator may do where it watches objects. Secrets: get, and nothing else. */}}
{{- define "spe-operator.rules" -}}
- apiGroups: [atlas.spe-operator.io]
  resources: [serverlessprivateendpoints]
  verbs: [get, list, watch, patch]
- apiGroups: [atlas.spe-operator.io]
  resources: [serverlessprivateendpoints/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if or .Values.integrations.configMap.enabled (include "spe-operator.writesOutput" .) }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
{{- end }}
{{- if include "spe-operator.writesOutput" . }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, update, delete]
{{- end }}
{{- if .Values.integrations.ack.enabled }}
- apiGroups: [ec2.services.k8s.aws]
  resources: [vpcendpoints]
  verbs: [get, list, watch]
{{- end }}
{{- if .Values.integrations.crossplane.enabled }}
- apiGroups: [ec2.aws.m.upbound.io]
  resources: [vpcendpoints]
  verbs: [get, list, watch]
{{- end }}
{{- end -}}

{{/* What labels the pod of `helm test`: not the release's own, or its Service would lead to it. */}}
{{- define "spe-operator.testSelector" -}}
app.kubernetes.io/name: {{ include "spe-operator.name" . | trunc 58 | trimSuffix "-" }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What the "restricted" pod security standard asks for, and more. The user is the image's, by number, or the namespace's (OpenShift). */}}
{{- define "spe-operator.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "spe-operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
