/** Real databases as StatefulSets with volumes for their data, whose TLS a DatabaseTLSProfile gives. */
import { databaseUser } from '../image/databases.ts'

export interface DatabasePlan {
  readonly name: string
  readonly namespace: string
  readonly image: string
  readonly engine: 'MariaDB' | 'PostgreSQL'
  readonly version: string
  readonly port: number
  /** A file of ../scripts. */
  readonly script: string
  /** Says in the container whether the server answers. */
  readonly alive: readonly string[]
  readonly replicas: number
}

/** The Secret of the account that reloads, offered to that profile. */
const account = ({ name, namespace }: DatabasePlan): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    ...{ name: `${name}-reloader`, namespace },
    annotations: { 'dbtls.dev/reload-credentials': name },
  },
  stringData: { username: 'reloader', password: `word-of-${name}` },
})

/** Without `reload` as the strategy SQL. */
export const profile = (plan: DatabasePlan, reload?: object): object => {
  const { name, namespace, engine, version, replicas } = plan
  return {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseTLSProfile',
    metadata: { name, namespace },
    spec: {
      ...{ engine, version, authorityRef: { name: 'databases' } },
      topology: { statefulSet: { name, replicas } },
      mountPath: '/tls',
      reload: reload ?? { strategy: 'SQL', credentialsSecretRef: { name: `${name}-reloader` } },
      probe: { interval: '5s' },
    },
  }
}

const container = ({ image, script, port, alive }: DatabasePlan): object => ({
  ...{ name: 'database', image, imagePullPolicy: 'IfNotPresent', command: ['sh', `/scripts/${script}`] },
  ports: [{ containerPort: port }],
  readinessProbe: { exec: { command: alive }, periodSeconds: 2, timeoutSeconds: 10 },
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  volumeMounts: [
    { name: 'data', mountPath: '/data' },
    { name: 'scripts', mountPath: '/scripts' },
    { name: 'account', mountPath: '/account', readOnly: true },
    { name: 'tls', mountPath: '/tls', readOnly: true },
  ],
})

const statefulSet = (plan: DatabasePlan): object => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: plan.name, namespace: plan.namespace },
  spec: {
    serviceName: plan.name,
    replicas: plan.replicas,
    podManagementPolicy: 'Parallel',
    selector: { matchLabels: { app: plan.name } },
    template: {
      metadata: { labels: { app: plan.name } },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 20,
        securityContext: {
          ...{ runAsNonRoot: true, runAsUser: databaseUser, runAsGroup: databaseUser, fsGroup: databaseUser },
          seccompProfile: { type: 'RuntimeDefault' },
        },
        containers: [container(plan)],
        volumes: [
          { name: 'scripts', configMap: { name: 'scripts' } },
          { name: 'account', secret: { secretName: `${plan.name}-reloader` } },
          { name: 'tls', secret: { secretName: `${plan.name}-server-tls`, defaultMode: 0o440 } },
        ],
      },
    },
    volumeClaimTemplates: [
      {
        metadata: { name: 'data' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
    ],
  },
})

const headless = ({ name, namespace, port }: DatabasePlan): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  // A pod that restarts must be reachable before it is Ready: whoever asks it decides by that.
  spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector: { app: name }, ports: [{ port }] },
})

export const database = (plan: DatabasePlan): object[] => [
  account(plan),
  headless(plan),
  profile(plan),
  statefulSet(plan),
]
