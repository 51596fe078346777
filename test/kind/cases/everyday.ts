/** What comes up while an installation lives: a server that only a restart brings its certificate, things asked for no longer. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Connection } from '../../controlplane/harness/connection.ts'
import { eventually, must } from '../../controlplane/harness/process.ts'
import { deployment, list, namespaceOf, resource, scripts, service } from '../harness/pods.ts'
import { beside, cluster, clusterInfo, inOrder } from '../harness/shared.ts'

const namespace = 'everyday'
const patience = { timeoutMs: 300_000, everyMs: 500 }

interface Issued {
  readonly status?: { readonly serialNumber?: string }
}
interface Profile {
  readonly status?: { readonly endpoints?: readonly { readonly servedSerial?: string }[] }
}
interface Pods {
  readonly items: readonly { readonly metadata: { readonly uid: string; readonly deletionTimestamp?: string } }[]
}

const authority = (name: string, spec: object = {}): object =>
  resource('CertificateAuthority', namespace, name, {
    ...{ source: { selfSigned: {} }, subject: { commonName: name }, ...spec },
  })

const profile = (clients: readonly string[]): object =>
  resource('DatabaseTLSProfile', namespace, 'cache', {
    ...{ engine: 'Redis', version: '8', authorityRef: { name: 'ca' }, topology: { services: ['cache'] } },
    clients: clients.map((name) => ({ name })),
    reload: { strategy: 'Rollout', workloads: [{ kind: 'Deployment', name: 'cache' }] },
    probe: { interval: '5s' },
  })

describe.skipIf(clusterInfo() === undefined)('an installation in the course of time', beside, () => {
  let plane: Connection
  const image = clusterInfo()?.image ?? ''
  const apply = (...objects: readonly object[]): Promise<string> =>
    plane.kubectlOk(['apply', '--server-side', '--force-conflicts', '-f', '-'], list(objects))
  const inNamespace = (...args: readonly string[]): Promise<string> => plane.kubectlOk(['-n', namespace, ...args])
  const read = <T>(...what: readonly string[]): Promise<T> => plane.getJson<T>(['-n', namespace, ...what])
  const isGone = async (what: string): Promise<boolean> =>
    (await inNamespace('get', what, '--ignore-not-found', '-o', 'name')).trim() === ''
  const serial = async (name: string): Promise<string | undefined> =>
    (await read<Issued>('databasecertificate', name)).status?.serialNumber
  const pods = async (app: string): Promise<string[]> =>
    (await read<Pods>('pods', '-l', `app=${app}`)).items
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata }) => metadata.uid)
  const served = async (): Promise<string | undefined> =>
    (await read<Profile>('databasetlsprofile', 'cache')).status?.endpoints?.[0]?.servedSerial

  beforeAll(async () => {
    plane = cluster()
    const targets = ['ConfigMap', 'Secret'].map((kind) => ({
      ...{ kind, name: 'trusted', items: [{ key: 'ca.crt', content: 'TrustBundle' }] },
    }))
    await apply(
      namespaceOf(namespace),
      authority('ca'),
      authority('brief', { trustBundle: { targets }, ledger: { keepExpiredFor: '0s' } }),
      profile(['app', 'former']),
    )
    await inNamespace('wait', '--for=create', '--timeout=120s', 'secret/cache-server-tls')
    const env = { PORT: '6379', RELOAD: 'never' }
    const secrets = { '/tls': 'cache-server-tls' }
    await apply(
      scripts(namespace, ['files.mjs', 'server.mjs']),
      service(namespace, 'cache', 'cache', 6379),
      deployment({ name: 'cache', namespace, image, script: 'server.mjs', env, secrets }),
    )
    await inNamespace('rollout', 'status', 'deployment/cache', '--timeout=180s')
  })
  afterAll(async () => {
    await plane.kubectl(['delete', 'namespace', namespace, '--wait=false'])
  })

  it(
    'restarts a Deployment that reads its files when it starts, and sees it serve the renewed certificate',
    inOrder,
    async () => {
      const first = await serial('cache-server')
      await eventually('the first certificate to be seen', async () => (await served()) === first, patience)
      const before = await pods('cache')
      const env = { ...process.env, KUBECONFIG: plane.adminKubeconfig }
      await must('bin/dbtls', ['renew', '--profile', 'cache', '-n', namespace], { env })
      await eventually('another certificate', async () => (await serial('cache-server')) !== first, patience)
      const renewed = await serial('cache-server')
      await eventually('it to be seen', async () => (await served()) === renewed, patience)
      expect(before).not.toContain((await pods('cache'))[0])
    },
  )

  it('removes what is asked for no longer, and forgets what has ended where a CA says so', inOrder, async () => {
    const certificate = {
      ...{ authorityRef: { name: 'brief' }, dnsNames: ['brief.test'], duration: '10s', secret: { name: 'brief-tls' } },
    }
    await apply(profile(['app']), resource('DatabaseCertificate', namespace, 'brief', certificate))
    await eventually(
      "the former client's certificate to go",
      () => isGone('databasecertificate/cache-former'),
      patience,
    )
    await inNamespace('wait', '--for=condition=Ready', '--timeout=120s', 'databasecertificate/brief')
    const entries = async (): Promise<string[]> =>
      (await inNamespace('get', 'issuedcertificates', '-o', 'name')).trim().split('\n')
    const before = await entries()
    await eventually(
      'an entry to go',
      async () => {
        const now = await entries()
        return before.some((name) => !now.includes(name))
      },
      patience,
    )
    await inNamespace('delete', 'databasecertificate', 'brief', '--timeout=60s')
    await inNamespace('delete', 'certificateauthority', 'brief', '--timeout=60s')
    for (const what of ['configmap/trusted', 'secret/trusted'])
      await eventually(`${what} to go`, () => isGone(what), patience)
  })
})
