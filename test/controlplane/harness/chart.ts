/** Installs the chart as a user does, and hands out credentials of its ServiceAccount, so that RBAC is really tested. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Permission } from './audit.ts'
import type { Connection } from './connection.ts'
import { eventually } from './process.ts'

const chartFolder = fileURLToPath(new URL('../../../charts/dbtls/', import.meta.url))

export interface ChartOptions {
  /** The release, and the namespace made for it. */
  readonly release: string
  /** Values as `--set-json` takes them. */
  readonly values?: Readonly<Record<string, unknown>>
  /** Namespaced mode: made when missing, and given as the chart's `namespaces`. Absent: the whole cluster. */
  readonly namespaces?: readonly string[]
  /** Let the chart install the CRDs: only on a control plane started with `crds: false`. */
  readonly crds?: boolean
}

export interface InstalledChart {
  readonly release: string
  readonly namespace: string
  readonly serviceAccount: string
  /** As the audit log names it. */
  readonly user: string
  /** Read by the kubeconfig; write a new token here to rotate it. */
  readonly tokenFile: string
  readonly kubeconfig: string
  /** The chart's `namespaces`, undefined in cluster mode. */
  readonly namespaces: readonly string[] | undefined
  /** Asks for another token of the ServiceAccount. `duration` as kubectl takes it, 10 minutes at least. */
  newToken(duration?: string): Promise<string>
  /** What RBAC grants the ServiceAccount, from the roles in the cluster, `verb group/resource[/subresource]`. */
  grantedPermissions(): Promise<Set<Permission>>
  uninstall(): Promise<void>
}

/** Waits for one of that name that is on its way out: nothing can be made in it any more. */
export const ensureNamespace = async (plane: Connection, name: string): Promise<void> => {
  const get = ['get', 'namespace', name, '--ignore-not-found', '-o', 'jsonpath={.metadata.deletionTimestamp}']
  await eventually(`the former namespace ${name} to be gone`, async () => (await plane.kubectlOk(get)).trim() === '', {
    timeoutMs: 180_000,
  })
  await plane.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
}

export const installChart = async (plane: Connection, options: ChartOptions): Promise<InstalledChart> => {
  const { release } = options
  const namespace = release
  for (const name of [namespace, ...(options.namespaces ?? [])]) await ensureNamespace(plane, name)
  const values = { ...options.values, namespaces: options.namespaces ?? [], fullnameOverride: release }
  const valuesFile = join(plane.tempDir('chart'), 'values.json')
  writeFileSync(valuesFile, JSON.stringify(values))
  await plane.helmOk([
    ...['install', release, chartFolder, '--namespace', namespace, '--values', valuesFile],
    ...['--set', `crds.enabled=${options.crds === true}`],
  ])

  const newToken = async (duration = '1h'): Promise<string> =>
    (await plane.kubectlOk(['-n', namespace, 'create', 'token', release, `--duration=${duration}`])).trim()
  const tokenFile = join(plane.tempDir('token'), 'token')
  writeFileSync(tokenFile, await newToken(), { mode: 0o600 })
  return {
    release,
    namespace,
    serviceAccount: release,
    user: `system:serviceaccount:${namespace}:${release}`,
    tokenFile,
    kubeconfig: plane.kubeconfigFor({ tokenFile }, namespace),
    namespaces: options.namespaces,
    newToken,
    grantedPermissions: () => grantedPermissions(plane, release),
    uninstall: async () => {
      await plane.helmOk(['uninstall', release, '--namespace', namespace])
    },
  }
}

interface RoleList {
  readonly items: readonly {
    readonly metadata: { readonly name: string }
    readonly rules?: readonly {
      readonly apiGroups: readonly string[]
      readonly resources: readonly string[]
      readonly verbs: readonly string[]
    }[]
  }[]
}

/** What RBAC grants the operator of a release, from the roles in the cluster. */
export const grantedPermissions = async (plane: Connection, release: string): Promise<Set<Permission>> => {
  const selector = `app.kubernetes.io/instance=${release}`
  const roles = await plane.getJson<RoleList>(['roles,clusterroles', '-A', '-l', selector])
  const granted = new Set<Permission>()
  // The roles for people (…-view, …-edit) bear the same label and are bound to nobody here.
  const operatorRoles = roles.items.filter(({ metadata }) => [release, `${release}-leader`].includes(metadata.name))
  for (const rule of operatorRoles.flatMap((role) => role.rules ?? [])) {
    for (const group of rule.apiGroups)
      for (const resource of rule.resources) for (const verb of rule.verbs) granted.add(`${verb} ${group}/${resource}`)
  }
  return granted
}
