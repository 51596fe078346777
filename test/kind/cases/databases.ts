/** MariaDB and PostgreSQL as StatefulSets: what the kubelet brings into their volumes, and how each comes to serve it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Connection } from '../../controlplane/harness/connection.ts'
import { eventually, must } from '../../controlplane/harness/process.ts'
import type { DatabasePlan } from '../harness/databases.ts'
import { database, profile } from '../harness/databases.ts'
import { list, namespaceOf, scripts } from '../harness/pods.ts'
import { beside, cluster, clusterInfo, inOrder } from '../harness/shared.ts'

const namespace = 'databases'
const info = clusterInfo()
const image = info?.databases ?? ''
const patience = { timeoutMs: 400_000, everyMs: 500 }

const mariadb: DatabasePlan = {
  ...{ name: 'orders', namespace, image, engine: 'MariaDB', version: '11.8', port: 3306, script: 'mariadb.sh' },
  alive: ['mariadb', '--no-defaults', '--socket=/tmp/socket', '--user=root', '--execute=SELECT 1'],
  replicas: 2,
}
const postgresql: DatabasePlan = {
  ...{ name: 'billing', namespace, image, engine: 'PostgreSQL', version: '17', port: 5432, script: 'postgresql.sh' },
  alive: ['pg_isready', '--host=/tmp', '--username=postgres'],
  replicas: 2,
}

interface ProfileThing {
  readonly status?: {
    readonly certificates?: readonly { readonly role: string; readonly serialNumber?: string }[]
    readonly endpoints?: readonly { readonly address: string; readonly servedSerial?: string }[]
    readonly reload?: unknown
  }
}
interface PodThing {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string }
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly containerStatuses?: readonly { readonly restartCount: number }[]
  }
}

const isReady = ({ metadata, status }: PodThing): boolean =>
  metadata.deletionTimestamp === undefined &&
  status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true

describe.skipIf(info?.databases === undefined)('databases on a real cluster', beside, () => {
  let plane: Connection
  const apply = (objects: readonly object[]): Promise<string> =>
    plane.kubectlOk(['apply', '--server-side', '--force-conflicts', '-f', '-'], list(objects))
  const see = (name: string): Promise<ProfileThing> => plane.getJson(['-n', namespace, 'databasetlsprofile', name])
  const pods = async (name: string): Promise<readonly PodThing[]> =>
    (await plane.getJson<{ items: readonly PodThing[] }>(['-n', namespace, 'pods', '-l', `app=${name}`])).items
  const identities = async (name: string) =>
    (await pods(name)).map(({ metadata, status }) => [
      metadata.uid,
      ...(status.containerStatuses ?? []).map(({ restartCount }) => restartCount),
    ])
  const serial = async (name: string): Promise<string> => {
    const found = (await see(name)).status?.certificates?.find(({ role }) => role === 'Server' || role === 'Peer')
    if (found?.serialNumber === undefined) throw new Error(`${name} has no server certificate`)
    return found.serialNumber
  }
  /** Every pod shows this certificate to the operator, which connects by the pod's own name. */
  const serves = async ({ name, replicas, port }: DatabasePlan, wanted: string): Promise<void> => {
    let last: ProfileThing | undefined
    await eventually(
      `every server of ${name} to show ${wanted}`,
      async () => {
        last = await see(name)
        const endpoints = last.status?.endpoints ?? []
        return endpoints.length === replicas && endpoints.every(({ servedSerial }) => servedSerial === wanted)
      },
      patience,
    ).catch((error: unknown) => {
      throw new Error(`${name} does not show ${wanted}: ${JSON.stringify(last?.status, undefined, 1)}`, {
        cause: error,
      })
    })
    for (const { address } of last?.status?.endpoints ?? []) {
      expect(address).toMatch(new RegExp(`^${name}-\\d\\.${name}\\.${namespace}\\.svc(\\.cluster\\.local)?:${port}$`))
    }
  }
  /** As a person does. Returns the new serial number. */
  const renew = async (name: string): Promise<string> => {
    const before = await serial(name)
    const env = { ...process.env, KUBECONFIG: plane.adminKubeconfig }
    await must('bin/dbtls', ['renew', '--profile', name, '-n', namespace], { env })
    await eventually('another certificate', async () => (await serial(name)) !== before, patience)
    return serial(name)
  }

  beforeAll(async () => {
    plane = cluster()
    await apply([
      namespaceOf(namespace),
      scripts(namespace, ['mariadb.sh', 'postgresql.sh']),
      {
        apiVersion: 'dbtls.dev/v1alpha1',
        kind: 'CertificateAuthority',
        metadata: { name: 'databases', namespace },
        spec: { source: { selfSigned: {} }, subject: { commonName: 'Databases CA' } },
      },
      ...database(mariadb),
      ...database(postgresql),
    ])
    for (const { name } of [mariadb, postgresql]) {
      await plane.kubectlOk(['-n', namespace, 'rollout', 'status', `statefulset/${name}`, '--timeout=300s'])
    }
  })
  afterAll(async () => {
    await plane.kubectl(['delete', 'namespace', namespace, '--wait=false'])
  })

  describe.each([mariadb, postgresql])('$engine', (plan) => {
    it('serves what the kubelet mounted, under the name of each pod', inOrder, async () => {
      await serves(plan, await serial(plan.name))
    })

    it(
      'takes a renewed certificate that came into its volume, told by SQL, and is not restarted',
      inOrder,
      async () => {
        const before = await identities(plan.name)
        await serves(plan, await renew(plan.name))
        expect(await identities(plan.name)).toEqual(before)
      },
    )
  })

  const rollout =
    'strategy Rollout restarts one pod at a time, and each comes back with its data and the new certificate'
  it(rollout, inOrder, async () => {
    const { name, replicas } = postgresql
    const before = new Set((await pods(name)).map(({ metadata }) => metadata.uid))
    await apply([profile(postgresql, { strategy: 'Rollout' })])
    const fewest = { ready: replicas }
    const wanted = await renew(name)
    await eventually(
      'both pods to be others',
      async () => {
        const now = await pods(name)
        const ready = now.filter(isReady)
        fewest.ready = Math.min(fewest.ready, ready.length)
        return ready.length === replicas && ready.every(({ metadata }) => !before.has(metadata.uid))
      },
      { ...patience, everyMs: 200 },
    )
    expect(fewest.ready).toBe(replicas - 1)
    await serves(postgresql, wanted)
    const query = [
      'psql',
      '--host=/tmp',
      '--username=postgres',
      '--tuples-only',
      '--command=SELECT rolname FROM pg_roles',
    ]
    const said = await plane.kubectlOk(['-n', namespace, 'exec', `${name}-0`, '--', ...query])
    expect(said).toContain('reloader')
  })
})
