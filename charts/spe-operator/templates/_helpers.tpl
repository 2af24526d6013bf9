{{/* Names, labels and rules that several objects share. This file renders nothing by itself. */}}

{{- define "spe-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimAll "-" -}}
{{- end -}}

{{/* Valid as the name of a Service: no dots, and a letter first. */}}
{{- define "spe-operator.fullname" -}}
{{- $name := include "spe-operator.name" . -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- $full := printf "%s-%s" $release $name -}}
{{- if .Values.fullnameOverride -}}
{{- $full = .Values.fullnameOverride -}}
{{- else if not (regexMatch "^[a-z]" $release) -}}
{{- $full = printf "%s-%s" $name $release -}}
{{- else if contains $name $release -}}
{{- $full = $release -}}
{{- end -}}
{{- $full = $full | trunc 63 | trimAll "-" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $full) -}}
{{- fail (printf "%q cannot name a Service: set fullnameOverride to lower-case letters, digits and '-', a letter first" $full) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{/*
The name of an object, from a list: root; the object's namespace, empty for a cluster-wide object; suffix. Outside the release's
own namespace the name also contains that namespace, so that two releases of one name do not collide.
*/}}
{{- define "spe-operator.nameIn" -}}
{{- $root := index . 0 -}}
{{- $name := print (include "spe-operator.fullname" $root) (index . 2) -}}
{{- if eq (index . 1) $root.Release.Namespace -}}
{{- $name -}}
{{- else -}}
{{- printf "%s.%s" $name $root.Release.Namespace -}}
{{- end -}}
{{- end -}}

{{/* Merges a list of dictionaries, as YAML. The first value of a key takes precedence. */}}
{{- define "spe-operator.together" -}}
{{- $all := dict -}}
{{- range $dictionary := . -}}
{{- range $key, $value := $dictionary -}}
{{- if not (hasKey $all $key) -}}
{{- $_ := set $all $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{- define "spe-operator.selector" -}}
{{- toYaml (dict "app.kubernetes.io/name" (include "spe-operator.name" .) "app.kubernetes.io/instance" .Release.Name) -}}
{{- end -}}

{{/* Labels of the pod of `helm test`: not the release's own, or its Service would select that pod. */}}
{{- define "spe-operator.testSelector" -}}
{{- $name := printf "%s-test" (include "spe-operator.name" . | trunc 58 | trimAll "-") -}}
{{- toYaml (dict "app.kubernetes.io/name" $name "app.kubernetes.io/instance" .Release.Name) -}}
{{- end -}}

{{/*
The metadata of an object, from a dictionary: root; name; namespace, unless the object is cluster-wide; its own labels and
annotations, which take precedence over the common ones; selector, unless it is that of the release.
*/}}
{{- define "spe-operator.metadata" -}}
{{- $values := .root.Values -}}
{{- $metadata := dict -}}
{{- with .name -}}
{{- $_ := set $metadata "name" . -}}
{{- end -}}
{{- with .namespace -}}
{{- $_ := set $metadata "namespace" . -}}
{{- end -}}
{{- $selector := include (default "spe-operator.selector" .selector) .root | fromYaml -}}
{{- $chart := dict
  "app.kubernetes.io/version" .root.Chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_")
-}}
{{- $labels := include "spe-operator.together" (list $selector .labels $values.commonLabels $chart) | fromYaml -}}
{{- $_ := set $metadata "labels" $labels -}}
{{- with include "spe-operator.together" (list .annotations $values.commonAnnotations) | fromYaml -}}
{{- $_ := set $metadata "annotations" . -}}
{{- end -}}
{{- toYaml $metadata -}}
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
{{- $namespace := default .Release.Namespace .Values.leaderElection.namespace -}}
{{- default (include "spe-operator.nameIn" (list . $namespace "")) .Values.leaderElection.name -}}
{{- end -}}

{{/* "true" if the operator may write ConfigMaps. */}}
{{- define "spe-operator.writesOutput" -}}
{{- $enabled := .Values.integrations.outputConfigMap.enabled | toString -}}
{{- if or (eq $enabled "true") (and (eq $enabled "auto") (eq .Values.rbac.scope "namespaced")) -}}
true
{{- end -}}
{{- end -}}

{{/* The kinds that the operator watches, as JSON. */}}
{{- define "spe-operator.kinds" -}}
{{- $watched := list -}}
{{- range list "serverlessPrivateEndpoint" "privateEndpointService" "privateEndpoint" -}}
{{- if (get $.Values.kinds .).enabled -}}
{{- $watched = append $watched (printf "%s%s" (upper (substr 0 1 .)) (substr 1 -1 .)) -}}
{{- end -}}
{{- end -}}
{{- toJson $watched -}}
{{- end -}}

{{/* The resources of these kinds, as JSON. Each has its definition in files/. */}}
{{- define "spe-operator.resources" -}}
{{- $resources := list -}}
{{- range include "spe-operator.kinds" . | fromJsonArray -}}
{{- $resources = append $resources (printf "%ss" (lower .)) -}}
{{- end -}}
{{- toJson $resources -}}
{{- end -}}

{{/* The operator's rights where it watches objects. Secrets: only get. */}}
{{- define "spe-operator.rules" -}}
{{- range include "spe-operator.resources" . | fromJsonArray }}
- apiGroups: [atlas.spe-operator.io]
  resources: [{{ . }}]
  verbs: [get, list, watch, patch]
- apiGroups: [atlas.spe-operator.io]
  resources: [{{ . }}/status]
  verbs: [patch]
{{- end }}
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
  verbs: [create, patch, delete]
{{- end }}
{{- if .Values.integrations.ack.enabled }}
- apiGroups: [ec2.services.k8s.aws]
  resources: [vpcendpoints]
  verbs: [list, watch]
{{- end }}
{{- if .Values.integrations.crossplane.enabled }}
- apiGroups: [ec2.aws.m.upbound.io]
  resources: [vpcendpoints]
  verbs: [list, watch]
- apiGroups: [network.azure.m.upbound.io]
  resources: [privateendpoints]
  verbs: [list, watch]
- apiGroups: [compute.gcp.m.upbound.io]
  resources: [forwardingrules]
  verbs: [list, watch]
{{- end }}
{{- if .Values.integrations.azureServiceOperator.enabled }}
- apiGroups: [network.azure.com]
  resources: [privateendpoints]
  verbs: [list, watch]
{{- end }}
{{- if .Values.integrations.configConnector.enabled }}
- apiGroups: [compute.cnrm.cloud.google.com]
  resources: [computeforwardingrules]
  verbs: [list, watch]
{{- end }}
{{- end -}}

{{/* The arguments of the program. An empty value omits the flag, so that the program's own default applies. */}}
{{- define "spe-operator.arguments" -}}
{{- $arguments := list "run" (printf "--admin-address=[::]:%d" (int .Values.metrics.port)) -}}
{{- if .Values.metrics.perObject -}}
{{- $arguments = append $arguments "--metrics-per-object" -}}
{{- end -}}
{{- $election := dict -}}
{{- if .Values.leaderElection.enabled -}}
{{- $arguments = append $arguments "--leader-elect" -}}
{{- $election = set (deepCopy .Values.leaderElection) "name" (include "spe-operator.lease" .) -}}
{{- end -}}
{{- if .Values.atlas.allowHttp -}}
{{- $arguments = append $arguments "--atlas-allow-http" -}}
{{- end -}}
{{- $credentials := .Values.defaultCredentials -}}
{{- $kinds := include "spe-operator.kinds" . | fromJsonArray -}}
{{- $flags := list
  (list "log-format" .Values.logging.format)
  (list "log-level" .Values.logging.level)
  (list "lease-name" $election.name)
  (list "lease-namespace" $election.namespace)
  (list "lease-duration" $election.leaseDuration)
  (list "lease-renew-deadline" $election.renewDeadline)
  (list "lease-retry-period" $election.retryPeriod)
  (list "kinds" (ternary "" (join "," $kinds) (eq 3 (len $kinds))))
  (list "watch-namespaces" (include "spe-operator.watched" . | fromJsonArray | join ","))
  (list "watch-selector" .Values.watchSelector)
  (list "cluster-id" .Values.clusterId)
  (list "docs-base-url" .Values.docsBaseUrl)
  (list "atlas-base-url" .Values.atlas.baseUrl)
  (list "atlas-api" .Values.atlas.api)
  (list "atlas-timeout" .Values.atlas.timeout)
  (list "atlas-ca-file" (and .Values.atlas.caBundle.configMap "/etc/spe-operator/ca/ca.crt"))
  (list "atlas-proxy" .Values.atlas.proxy.url)
  (list "default-credentials-secret" $credentials.existingSecret)
  (list "default-credentials-namespaces" (join "," $credentials.allowedNamespaces))
  (list "concurrency" (int .Values.concurrency))
  (list "poll-min" .Values.polling.min)
  (list "poll-max" .Values.polling.max)
  (list "create-deadline" .Values.creation.deadline)
  (list "travel-allowance" .Values.creation.travelAllowance)
  (list "create-uncertainty" .Values.creation.uncertainty)
  (list "confirm-gap" .Values.creation.confirmGap)
  (list "visibility-window" .Values.creation.visibilityWindow)
-}}
{{- range $flags -}}
{{- $flag := first . -}}
{{- with last . -}}
{{- $arguments = append $arguments (printf "--%s=%v" $flag .) -}}
{{- end -}}
{{- end -}}
{{- range $extra := .Values.extraArgs -}}
{{- range $arguments -}}
{{- if and (hasPrefix "--" .) (eq (splitList "=" . | first) (splitList "=" $extra | first)) -}}
{{- fail (printf "extraArgs cannot set %s, which another value sets" (splitList "=" $extra | first)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml (concat $arguments (default list .Values.extraArgs)) -}}
{{- end -}}

{{/* Checks that values.schema.json cannot express with a clear message: values that require or exclude each other. */}}
{{- define "spe-operator.check" -}}
{{- with .Values.kinds -}}
{{- if not (or .serverlessPrivateEndpoint.enabled .privateEndpoint.enabled) -}}
{{- fail "kinds needs serverlessPrivateEndpoint.enabled=true or privateEndpoint.enabled=true" -}}
{{- end -}}
{{- if and .privateEndpointService.enabled (not .privateEndpoint.enabled) -}}
{{- fail "kinds.privateEndpointService needs kinds.privateEndpoint.enabled=true: a service that endpoints refer to is not deleted" -}}
{{- end -}}
{{- end -}}
{{- $labels := dict
  "commonLabels" .Values.commonLabels
  "podLabels" .Values.podLabels
  "serviceAccount.labels" .Values.serviceAccount.labels
  "serviceMonitor.labels" .Values.serviceMonitor.labels
  "prometheusRule.labels" .Values.prometheusRule.labels
  "grafanaDashboard.sidecarLabel" (dict .Values.grafanaDashboard.sidecarLabel "")
-}}
{{- range $value, $given := $labels -}}
{{- range $key, $_ := $given -}}
{{- if has $key (list "app.kubernetes.io/name" "app.kubernetes.io/instance") -}}
{{- fail (printf "%s cannot set %s, which selects the pods of this release" $value $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.rbac.scope "namespaced") (not .Values.clusterId) -}}
{{- fail "rbac.scope=namespaced needs clusterId: a name no other live cluster uses, since the operator may not read the uid of kube-system" -}}
{{- end -}}
{{- if and (gt (int .Values.replicaCount) 1) (not .Values.leaderElection.enabled) -}}
{{- fail "replicaCount above 1 needs leaderElection.enabled=true: without a Lease all replicas would work at once" -}}
{{- end -}}
{{- with .Values.atlas.proxy -}}
{{- if and .url .existingSecret -}}
{{- fail "atlas.proxy.url and atlas.proxy.existingSecret exclude each other: the Secret holds the URL" -}}
{{- end -}}
{{- end -}}
{{- $proxy := and .Values.atlas.proxy.existingSecret "atlas.proxy.existingSecret" -}}
{{- include "spe-operator.taken" (list "extraEnv" .Values.extraEnv "SPE_ATLAS_PROXY" $proxy) -}}
{{- $ca := and .Values.atlas.caBundle.configMap "atlas.caBundle.configMap" -}}
{{- include "spe-operator.taken" (list "extraVolumes" .Values.extraVolumes "ca" $ca) -}}
{{- if $ca -}}
{{- range .Values.extraVolumeMounts -}}
{{- if eq (.mountPath | toString | clean) "/etc/spe-operator/ca" -}}
{{- fail "extraVolumeMounts cannot mount /etc/spe-operator/ca, which atlas.caBundle.configMap mounts" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.defaultCredentials -}}
{{- if and .existingSecret (not .allowedNamespaces) -}}
{{- fail "defaultCredentials.existingSecret needs defaultCredentials.allowedNamespaces: the namespaces whose objects it serves" -}}
{{- end -}}
{{- if and .allowedNamespaces (not .existingSecret) -}}
{{- fail "defaultCredentials.allowedNamespaces needs defaultCredentials.existingSecret: the Secret that serves them" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.metrics.enabled) -}}
{{- fail "serviceMonitor.enabled=true needs metrics.enabled=true: it scrapes that Service" -}}
{{- end -}}
{{- with .Values.podDisruptionBudget -}}
{{- if and .enabled (not (include "spe-operator.amount" .minAvailable)) (not (include "spe-operator.amount" .maxUnavailable)) -}}
{{- fail "podDisruptionBudget.enabled=true needs podDisruptionBudget.minAvailable or podDisruptionBudget.maxUnavailable" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Refuses entries with a name that the chart sets, from a list: the value; its entries; the name; what sets it, empty if nothing. */}}
{{- define "spe-operator.taken" -}}
{{- $value := index . 0 -}}
{{- $name := index . 2 -}}
{{- $setter := index . 3 -}}
{{- range index . 1 -}}
{{- if and $setter (eq (.name | toString) $name) -}}
{{- fail (printf "%s cannot set %s, which %s sets" $value $name $setter) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A number, also 0, or a percentage, as JSON; empty if it is not set. */}}
{{- define "spe-operator.amount" -}}
{{- if not (or (kindIs "invalid" .) (eq (toString .) "")) -}}
{{- toJson . -}}
{{- end -}}
{{- end -}}

{{/*
Refuses an extra object of the operator's own kinds, also in a List, unless it is a hook that runs after the operator is there and
keeps its endpoint: Helm deletes the object of a hook before it creates it again. Helm reads no annotation inside a List.
*/}}
{{- define "spe-operator.extraObject" -}}
{{- range .items }}
{{- if kindIs "map" . }}{{ include "spe-operator.extraObject" (omit . "metadata") }}{{ end }}
{{- end }}
{{- if hasPrefix "atlas.spe-operator.io/" (.apiVersion | toString) }}
{{- $hooks := dig "metadata" "annotations" "helm.sh/hook" "" . | toString | nospace | splitList "," }}
{{- if without $hooks "post-install" "post-upgrade" }}
{{- fail "extraObjects cannot hold what the operator looks after, neither by itself nor in a List: at the first install the kind is not there yet, and an uninstall takes the operator before the object. Apply it afterwards, with a release of its own, or as a hook (annotation helm.sh/hook: post-install,post-upgrade) with spec.deletionPolicy: Retain" }}
{{- end }}
{{- if ne (dig "spec" "deletionPolicy" "" . | toString) "Retain" }}
{{- fail "extraObjects: what the operator looks after needs spec.deletionPolicy: Retain to be a hook, since Helm deletes the object of a hook before it creates it again" }}
{{- end }}
{{- end }}
{{- end }}
