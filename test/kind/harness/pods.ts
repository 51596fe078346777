/** Pods of the operator's own image with a script, which pass the Pod Security Standard `restricted`. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const node = '/nodejs/bin/node'
const user = 65_532

export interface PodPlan {
  readonly name: string
  readonly namespace: string
  readonly image: string
  /** A file of ../scripts. */
  readonly script: string
  readonly env?: Readonly<Record<string, string>>
  /** Secrets by the path that they are mounted at. */
  readonly secrets: Readonly<Record<string, string>>
}

/** Every script, as a ConfigMap `scripts`. */
export const scripts = (namespace: string, names: readonly string[]): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'scripts', namespace },
  data: Object.fromEntries(
    names.map((name) => [name, readFileSync(fileURLToPath(new URL(`../scripts/${name}`, import.meta.url)), 'utf8')]),
  ),
})

const podSpec = ({ image, script, env = {}, secrets }: PodPlan): object => {
  const mounted = Object.entries(secrets)
  return {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 5,
    securityContext: {
      ...{ runAsNonRoot: true, runAsUser: user, runAsGroup: user, fsGroup: user },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        ...{ name: 'node', image, imagePullPolicy: 'IfNotPresent', command: [node, `/scripts/${script}`] },
        env: Object.entries(env).map(([name, value]) => ({ name, value })),
        securityContext: {
          ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'scripts', mountPath: '/scripts' },
          ...mounted.map(([mountPath], index) => ({ name: `secret-${index}`, mountPath, readOnly: true })),
        ],
      },
    ],
    volumes: [
      { name: 'scripts', configMap: { name: 'scripts' } },
      ...mounted.map(([, secretName], index) => ({
        name: `secret-${index}`,
        // Keys for the group alone, which fsGroup is.
        secret: { secretName, defaultMode: 0o440 },
      })),
    ],
  }
}

/** Runs once. */
export const pod = (plan: PodPlan): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: plan.name, namespace: plan.namespace, labels: { app: plan.name } },
  spec: { ...podSpec(plan), restartPolicy: 'Never' },
})

export const deployment = (plan: PodPlan): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: plan.name, namespace: plan.namespace },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: plan.name } },
    template: { metadata: { labels: { app: plan.name } }, spec: podSpec(plan) },
  },
})

export const service = (namespace: string, name: string, app: string, port: number): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { selector: { app }, ports: [{ port }] },
})

/** Namespaces that the cases make and fill; they must not be there before (given.ts). */
export const caseNamespaces = [
  ...['data', 'databases', 'everyday', 'drifted', 'rotated'],
  ...['gone', 'gone-trusting', 'left', 'left-trusting'],
] as const

export type CaseNamespace = (typeof caseNamespaces)[number]

export const restrictedNamespace = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
})

export const namespaceOf = (name: CaseNamespace): object => restrictedNamespace(name)

/** One of the operator's kinds. */
export const resource = (kind: string, namespace: string, name: string, spec: object): object => ({
  ...{ apiVersion: 'dbtls.dev/v1alpha1', kind, metadata: { name, namespace }, spec },
})

/** A list that kubectl applies. */
export const list = (items: readonly object[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
