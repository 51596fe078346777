{{/*
What the operator may do, in every namespace it watches: exactly the verbs it uses, which a test holds against the
audit log of a real API server. `create` on secrets is what server-side apply needs for a Secret that does not exist yet;
`delete` is for the targets of a trust bundle, which no owner reference can reach in another namespace. DatabaseCertificates
are made for profiles, and removed when a profile asks for them no longer.
*/}}
{{- define "dbtls.namespacedRules" -}}
- apiGroups: [dbtls.dev]
  resources: [certificateauthorities, databasetlsprofiles]
  verbs: [list, watch]
- apiGroups: [dbtls.dev]
  resources: [databasecertificates, issuedcertificates]
  verbs: [create, list, watch, patch, delete]
- apiGroups: [dbtls.dev]
  resources:
    - certificateauthorities/status
    - databasecertificates/status
    - databasetlsprofiles/status
    - issuedcertificates/status
  verbs: [update]
- apiGroups: ['']
  resources: [secrets, configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if .Values.rollout.enabled }}
- apiGroups: [apps]
  resources: [statefulsets, deployments]
  verbs: [get, patch]
{{- end }}
{{- end }}

{{/* Labels of namespaces, for a CA's allowedNamespaces.selector: only where the operator serves the whole cluster. */}}
{{- define "dbtls.clusterRules" -}}
- apiGroups: ['']
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}

{{/* Leader election, in the release's namespace alone; a name cannot restrict the creation. */}}
{{- define "dbtls.leaderRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "dbtls.fullname" . }}]
  verbs: [get, update]
{{- end }}

{{- define "dbtls.subjects" -}}
- kind: ServiceAccount
  name: {{ include "dbtls.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
