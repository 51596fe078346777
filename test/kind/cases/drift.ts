/** What others change in an installation, and its operator's pods replaced by others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Connection } from '../../controlplane/harness/connection.ts'
import { eventually } from '../../controlplane/harness/process.ts'
import { operatorNamespace, release } from '../harness/install.ts'
import { list, namespaceOf, resource } from '../harness/pods.ts'
import { cluster, clusterInfo } from '../harness/shared.ts'

const namespace = 'drifted'
const patience = { timeoutMs: 300_000, everyMs: 500 }

interface Events {
  readonly items: readonly { readonly reason: string; readonly series?: { readonly count: number } }[]
}

describe.skipIf(clusterInfo() === undefined)('the operator', () => {
  let plane: Connection
  const inNamespace = (...args: readonly string[]): Promise<string> => plane.kubectlOk(['-n', namespace, ...args])

  beforeAll(async () => {
    plane = cluster()
    const targets = [{ kind: 'ConfigMap', name: 'trusted', items: [{ key: 'ca.crt', content: 'TrustBundle' }] }]
    const objects = [
      namespaceOf(namespace),
      resource('CertificateAuthority', namespace, 'ca', {
        ...{ source: { selfSigned: {} }, subject: { commonName: 'ca' }, trustBundle: { targets } },
      }),
      resource('DatabaseTLSProfile', namespace, 'cache', {
        ...{ engine: 'Redis', version: '8', authorityRef: { name: 'ca' }, topology: { services: ['cache'] } },
      }),
    ]
    await plane.kubectlOk(['apply', '--server-side', '-f', '-'], list(objects))
    await inNamespace('wait', '--for=create', '--timeout=120s', 'secret/cache-server-tls', 'configmap/trusted')
  })
  afterAll(async () => {
    await plane.kubectl(['delete', 'namespace', namespace, '--wait=false'])
  })

  it('puts right what others changed, and tells of it once, with a count, when its pods are replaced', async () => {
    const bundle = () => inNamespace('get', 'configmap', 'trusted', '-o', 'jsonpath={.data.ca\\.crt}')
    const right = await bundle()
    await inNamespace('patch', 'configmap', 'trusted', '--type=merge', '-p', '{"data":{"ca.crt":"evil"}}')
    await eventually('the bundle to be right', async () => (await bundle()) === right, patience)

    const key = () => inNamespace('get', 'secret', 'cache-server-tls', '-o', 'jsonpath={.data.tls\\.key}')
    const own = await key()
    for (const _ of [1, 2, 3]) {
      await inNamespace('patch', 'secret', 'cache-server-tls', '--type=merge', '-p', '{"data":{"ca.crt":"ZXZpbA=="}}')
      const intact = async () =>
        (await inNamespace('get', 'secret', 'cache-server-tls', '-o', 'jsonpath={.data.ca\\.crt}')) !== 'ZXZpbA=='
      await eventually('the Secret to be right', intact, patience)
    }
    expect(await key()).toBe(own)
    await plane.kubectlOk(['-n', operatorNamespace, 'rollout', 'restart', `deployment/${release}`])
    await plane.kubectlOk(['-n', operatorNamespace, 'rollout', 'status', `deployment/${release}`, '--timeout=300s'])
    const counts = async (): Promise<(number | undefined)[]> =>
      (await plane.getJson<Events>(['-n', namespace, 'events.events.k8s.io'])).items.flatMap(({ series }) =>
        series ? [series.count] : [],
      )
    expect(await eventually('the count', async () => (await counts()).includes(3) && counts(), patience)).toContain(3)
  })
})
