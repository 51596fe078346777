/**
 * A CA is replaced by one with another key while pods connect all the time, each with the Secret that the kubelet brings it: nobody
 * is refused, whatever happens to the operator, the API server and the node meanwhile.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Connection } from '../../controlplane/harness/connection.ts'
import { eventually } from '../../controlplane/harness/process.ts'
import { operatorNamespace, release } from '../harness/install.ts'
import { killApiServer, restartNode } from '../harness/outages.ts'
import { deployment, list, namespaceOf, resource, scripts, service } from '../harness/pods.ts'
import { cluster, clusterInfo } from '../harness/shared.ts'

const namespace = 'rotated'
const patience = { timeoutMs: 400_000, everyMs: 500 }

interface AuthorityThing {
  readonly status?: {
    readonly certificate?: { readonly fingerprint?: string }
    readonly rotation?: { readonly phase: string; readonly trigger?: string; readonly message?: string }
  }
}
interface Count {
  readonly good: number
  readonly failed: number
  readonly servers: readonly string[]
}

const authority = (rotation: object): object =>
  resource('CertificateAuthority', namespace, 'ca', {
    ...{ source: { selfSigned: {} }, subject: { commonName: 'Rotated CA' } },
    // Longer than the kubelet takes to bring a Secret into a volume, and the pods to read it.
    rotation: { trustSoak: '30s', dropSoak: '30s', ...rotation },
  })

const certificate = (name: string, spec: object): object =>
  resource('DatabaseCertificate', namespace, name, {
    ...{ authorityRef: { name: 'ca' }, ...spec, secret: { name: `${name}-tls` } },
  })

describe.skipIf(clusterInfo() === undefined)('the rotation of a CA under load', () => {
  let plane: Connection
  const info = clusterInfo()
  const image = info?.image ?? ''
  const inNamespace = (...args: readonly string[]): Promise<string> => plane.kubectlOk(['-n', namespace, ...args])
  const apply = (...objects: readonly object[]): Promise<string> =>
    plane.kubectlOk(['apply', '--server-side', '--force-conflicts', '-f', '-'], list(objects))
  const see = (): Promise<AuthorityThing> => plane.getJson(['-n', namespace, 'certificateauthority', 'ca'])
  const fingerprint = async () => (await see()).status?.certificate?.fingerprint
  const reaches = async (what: string, holds: (thing: AuthorityThing) => boolean): Promise<void> => {
    let last: AuthorityThing | undefined
    const look = async (): Promise<boolean> => holds((last = await see()))
    await eventually(what, look, patience).catch((error: unknown) => {
      throw new Error(`${what}: ${JSON.stringify(last?.status?.rotation)}`, { cause: error })
    })
  }
  const entered = (wanted: string) => reaches(`phase ${wanted}`, ({ status }) => status?.rotation?.phase === wanted)
  const finished = (trigger: string) =>
    reaches(
      `the end of ${trigger}`,
      ({ status: { rotation } = {} }) => rotation?.phase === 'Idle' && rotation.trigger === trigger,
    )
  const lines = async (): Promise<string[]> =>
    (await inNamespace('logs', 'deployment/client', '--tail=-1')).split('\n').filter((line) => line.startsWith('{'))
  /** The last that the present client pod has said, which has to be newer than `good` connections. */
  const count = (good = 0): Promise<Count> =>
    eventually(
      'more connections',
      async () => {
        const counts = (await lines())
          .filter((line) => line.includes('"good"'))
          .map((line) => JSON.parse(line) as Count)
        const last = counts.at(-1)
        return last !== undefined && last.good > good && last
      },
      patience,
    )
  const failures = async (): Promise<string[]> => (await lines()).filter((line) => line.includes('"failure"'))
  const operatorReady = () =>
    plane.kubectlOk([...['-n', operatorNamespace, 'rollout', 'status', `deployment/${release}`, '--timeout=300s']])

  beforeAll(async () => {
    plane = cluster()
    await apply(namespaceOf(namespace))
    await apply(
      authority({}),
      certificate('server', { role: 'Server', dnsNames: [`server.${namespace}.svc`] }),
      certificate('client', { role: 'Client', subject: { commonName: 'client' } }),
    )
    await inNamespace('wait', '--for=condition=Ready', '--timeout=120s', '--all', 'databasecertificates')
    const env = { HOST: `server.${namespace}.svc`, PORT: '5432' }
    await apply(
      scripts(namespace, ['files.mjs', 'server.mjs', 'load.mjs']),
      service(namespace, 'server', 'server', 5432),
      deployment({ name: 'server', namespace, image, script: 'server.mjs', env, secrets: { '/tls': 'server-tls' } }),
      deployment({ name: 'client', namespace, image, script: 'load.mjs', env, secrets: { '/tls': 'client-tls' } }),
    )
    await count()
  })
  afterAll(async () => {
    await plane.kubectl(['delete', 'namespace', namespace, '--wait=false'])
  })

  it('refuses nobody, though the leader, then the API server, go away in the middle', async () => {
    const before = await fingerprint()
    await apply(authority({ trigger: 'first' }))
    await entered('TrustBoth')
    const lease = await plane.getJson<{ spec: { holderIdentity: string } }>([
      ...['-n', operatorNamespace, 'lease', release],
    ])
    const leader = lease.spec.holderIdentity.replace(/_.*/, '')
    await plane.kubectlOk(['-n', operatorNamespace, 'delete', 'pod', leader, '--grace-period=0', '--force'])
    // Whatever phase it is in by then: some are over between two looks.
    await reaches('the new CA to sign', ({ status }) => ['Signing', 'DropSoak'].includes(status?.rotation?.phase ?? ''))
    if (info?.inNode !== undefined) await killApiServer(plane, info)
    await finished('first')
    expect(await fingerprint()).not.toBe(before)
    const { good } = await count()
    const { failed, servers } = await count(good + 50)
    expect(await failures()).toEqual([])
    expect(failed).toBe(0)
    // Served by the new CA's certificate at the end, and by the former one's at the beginning.
    expect(servers.length).toBeGreaterThanOrEqual(2)
    await operatorReady()
  })

  it.skipIf(info?.restartNode === undefined)('goes on after the node was restarted', async () => {
    const before = await fingerprint()
    await apply(authority({ trigger: 'second', holdAt: 'TrustBoth' }))
    await entered('TrustBoth')
    if (info !== undefined) await restartNode(plane, info)
    await operatorReady()
    // kubelet starts pods again in their own time; those that connect meanwhile may meet nobody.
    await inNamespace('rollout', 'restart', 'deployment/client')
    await inNamespace('rollout', 'status', 'deployment/client', '--timeout=300s')
    const clients = async () => (await inNamespace('get', 'pods', '-l', 'app=client', '-o', 'name')).trim().split('\n')
    await eventually('the former client to be gone', async () => (await clients()).length === 1, patience)
    const { good } = await count()
    expect((await see()).status?.rotation?.phase).toBe('TrustBoth')
    await apply(authority({ trigger: 'second' }))
    await finished('second')
    expect(await fingerprint()).not.toBe(before)
    await count(good + 50)
    expect(await failures()).toEqual([])
  })
})
