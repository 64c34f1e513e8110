{{/* The name of all objects: the release's, with the chart's where it is not in it. */}}
{{- define "plumbline.name" -}}
{{- $name := .Release.Name -}}
{{- if not (contains .Chart.Name $name) -}}
{{- $name = printf "%s-%s" $name .Chart.Name -}}
{{- end -}}
{{- .Values.fullnameOverride | default $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "plumbline.serviceAccount" -}}
{{- $own := ternary (include "plumbline.name" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $own -}}
{{- end -}}

{{/* What selects the pods: it never changes. */}}
{{- define "plumbline.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "plumbline.labels" -}}
{{- $own := include "plumbline.selector" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version) -}}
{{- toYaml (merge $own .Values.labels) -}}
{{- end -}}

{{/* The secret with the tokens. */}}
{{- define "plumbline.tokens" -}}
{{- .Values.access.existingSecret | default (printf "%s-tokens" (include "plumbline.name" . | trunc 56 | trimSuffix "-")) -}}
{{- end -}}

{{/* How who scrapes shows its token. */}}
{{- define "plumbline.authorization" -}}
{{- if not .Values.access.insecure }}
authorization:
  credentials: {name: {{ include "plumbline.tokens" . }}, key: read}
{{- end }}
{{- end -}}

{{/* The metadata of an object: (dict "root" $ "name" ... "namespace" ... "labels" ... "annotations" ... "cluster" true). */}}
{{- define "plumbline.metadata" -}}
name: {{ .name | default (include "plumbline.name" .root) }}
{{- if not .cluster }}
namespace: {{ .namespace | default .root.Release.Namespace }}
{{- end }}
labels:
  {{- $own := include "plumbline.labels" .root | fromYaml }}
  {{- toYaml (merge $own (.labels | default dict)) | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The agent's settings: what the values ask for, and what `config` lays over it. */}}
{{- define "plumbline.settings" -}}
{{- $collect := dict "disabled" (list "cri" "docker" "podman") "cgroup" (dict "root" "/host/sys/fs/cgroup") -}}
{{- if .Values.logs.enabled -}}
{{- $_ := set $collect "pod_logs" (dict "root" "/host/var/log") -}}
{{- end -}}
{{- $kubernetes := dict -}}
{{- if .Values.kubernetes.autoscalers -}}
{{- $_ := set $kubernetes "autoscalers" true -}}
{{- end -}}
{{- with .Values.kubernetes.descriptions -}}
{{- $_ := set $kubernetes "descriptions" . -}}
{{- end -}}
{{- if $kubernetes -}}
{{- $_ := set $collect "kubernetes" $kubernetes -}}
{{- end -}}
{{- $config := fromToml .Values.config -}}
{{- if hasKey $config "Error" -}}
{{- fail (printf "config is not TOML: %s" $config.Error) -}}
{{- end -}}
{{- toToml (mergeOverwrite (dict "collect" $collect) $config) -}}
{{- end -}}

{{/* What the container may do. */}}
{{- define "plumbline.securityContext" -}}
{{- $user := ternary 0 65532 .Values.podResources.enabled -}}
{{- $own := dict
  "runAsNonRoot" (ne $user 0) "runAsUser" $user "runAsGroup" $user
  "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true
  "capabilities" (dict "drop" (list "ALL")) "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (mergeOverwrite $own (deepCopy .Values.securityContext)) -}}
{{- end -}}

{{- define "plumbline.podSecurityContext" -}}
{{- $own := dict -}}
{{- if .Values.logs.enabled -}}
{{- /* The kubelet may make /var/log/pods for root's group alone (0750). */ -}}
{{- $_ := set $own "supplementalGroups" (list 0) -}}
{{- end -}}
{{- if eq .Values.data.type "emptyDir" -}}
{{- $_ := set $own "fsGroup" 65532 -}}
{{- end -}}
{{- if .Values.openshift.scc.enabled -}}
{{- $_ := set $own "seLinuxOptions" (dict "type" "spc_t") -}}
{{- end -}}
{{- toYaml (mergeOverwrite $own (deepCopy .Values.podSecurityContext)) -}}
{{- end -}}

{{/* The target's labels: the node's name, and none of the agent's own pod, since a series is about another. */}}
{{- define "plumbline.relabelings" -}}
- sourceLabels: [__meta_kubernetes_pod_node_name]
  targetLabel: node
- action: labeldrop
  regex: namespace|pod|container
{{- end -}}

{{/* Values that do not go together. */}}
{{- define "plumbline.refuse" -}}
{{- if and .Values.kubernetes.autoscalers (not .Values.kubernetes.token) -}}
{{- fail "kubernetes.autoscalers needs kubernetes.token" -}}
{{- end -}}
{{- if and .Values.kubernetes.descriptions (not .Values.kubernetes.token) -}}
{{- fail "kubernetes.descriptions needs kubernetes.token" -}}
{{- end -}}
{{- if and .Values.access.insecure .Values.access.existingSecret -}}
{{- fail "access.insecure asks nobody for a token, and access.existingSecret names some; leave one of them out" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "enable serviceMonitor or podMonitor: with both each agent would be scraped twice" -}}
{{- end -}}
{{- end -}}
