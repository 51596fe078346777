/**
 * A release upgraded to this one, rolled back, uninstalled and installed again, each with the operator of its time: nothing is issued anew.
 * The former release is the last tag; before there was one, a commit of the time before CAs rotated.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ControlPlane,
  eventually,
  type InstalledChart,
  type Operator,
  startOperator,
  writesOf,
} from '../controlplane/harness/index.ts'
import { Api, type CustomThing, type LedgerThing, type SecretThing, type Thing } from './support/api.ts'
import { authority, certificate, everyItem, opaqueSecret, yamlOf } from './support/manifests.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const ns = 'shop'
const release = 'dbtls'

const git = (...args: readonly string[]): string | undefined => {
  try {
    return execFileSync('git', args, { cwd: repository, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}
const former =
  git('describe', '--tags', '--abbrev=0', '--match', 'v*') ??
  git('rev-parse', '--verify', '--quiet', '25aa96a8d259aa314efb54807ddf532283bf0574^{commit}')
if (former === undefined) console.warn('the upgrade from a former release: skipped, this clone has no history')

/** A checkout of the former release, with today's packages. */
const checkout = (commit: string): string => {
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-former-'))
  mkdirSync(join(folder, 'tree'))
  execFileSync('sh', ['-c', `git archive ${commit} bin src charts package.json | tar -x -C "${folder}/tree"`], {
    cwd: repository,
  })
  symlinkSync(join(repository, 'node_modules'), join(folder, 'tree', 'node_modules'))
  return join(folder, 'tree')
}

const plurals = ['certificateauthorities', 'databasecertificates', 'databasetlsprofiles'] as const

describe.skipIf(former === undefined)('a release that was there before', () => {
  let plane: ControlPlane
  let api: Api
  let before: string
  let operator: Operator | undefined
  beforeAll(async () => {
    before = checkout(former ?? '')
    plane = await ControlPlane.start({ crds: false })
    api = new Api(plane)
  })
  afterAll(async () => {
    await operator?.stop()
    api.close()
    await plane.stop()
    rmSync(join(before, '..'), { recursive: true })
  })

  const user = `system:serviceaccount:${release}:${release}`
  /** Ends the operator that runs and starts that of `root`, with a token of its ServiceAccount. */
  const run = async (root: string): Promise<void> => {
    await operator?.stop()
    const token = (await plane.kubectlOk(['-n', release, 'create', 'token', release])).trim()
    const kubeconfig = plane.kubeconfigFor({ token }, release)
    const chart = { release, namespace: release, kubeconfig } as InstalledChart
    operator = await startOperator(plane, chart, { command: [join(root, 'bin/dbtls')] })
    await operator.ready()
  }
  const isReady = ({ metadata, status }: CustomThing): boolean =>
    status?.observedGeneration === metadata.generation &&
    status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true
  const allReady = (): Promise<unknown> =>
    eventually(
      'everything to be Ready',
      async () => {
        const all = (await Promise.all(plurals.map((plural) => api.list<CustomThing>(plural, ns)))).flat()
        return all.length === 7 && all.every(isReady)
      },
      { timeoutMs: 120_000 },
    )
  const quiet = async (): Promise<void> => {
    await eventually(
      'the operator to come to rest',
      async () => writesOf(plane.auditLog(), { user, since: Date.now() - 4_000 }).length === 0,
      { timeoutMs: 120_000, everyMs: 250 },
    )
  }
  /** Serial numbers of the ledger, and the bytes of every Secret and of what is trusted. */
  const world = async (): Promise<Readonly<Record<string, string>>> => {
    const hashOf = (data: unknown): string => createHash('sha256').update(JSON.stringify(data)).digest('hex')
    const secrets = await api.list<SecretThing>('secrets', ns)
    const trust = await api.get<Thing & { readonly data?: object }>('configmaps', ns, 'trust')
    const entries = await api.list<LedgerThing>('issuedcertificates', ns)
    return {
      ledger: entries
        .map(({ spec }) => spec.serialNumber)
        .toSorted()
        .join(' '),
      trust: hashOf(trust.data),
      ...Object.fromEntries(
        secrets.map(({ metadata, data = {} }) => [
          metadata.name,
          hashOf(Object.entries(data).toSorted(([a], [b]) => (a < b ? -1 : 1))),
        ]),
      ),
    }
  }
  const renews = async (trigger: string): Promise<void> => {
    const serial = async () => (await api.get<CustomThing>('databasecertificates', ns, 'plain')).status?.serialNumber
    const was = await serial()
    await api.patch('databasecertificates', ns, 'plain', { spec: { renewTrigger: trigger } })
    await eventually('a new certificate', async () => (await serial()) !== was, { timeoutMs: 90_000 })
    await allReady()
    await quiet()
  }
  const unchanged = async (was: Readonly<Record<string, string>>): Promise<void> => {
    await allReady()
    await quiet()
    expect(await world()).toEqual(was)
  }

  it('issues what is asked for', async () => {
    await plane.helmOk(['install', release, join(before, 'charts/dbtls'), '--namespace', release, '--create-namespace'])
    await run(before)
    await plane.kubectlOk(['create', 'namespace', ns])
    await plane.apply(
      yamlOf(
        opaqueSecret(ns, 'password', { password: 'correct horse' }),
        authority(ns, 'root', { maxPathLength: 1, crl: {} }),
        authority(ns, 'ca', {
          source: { intermediate: { authorityRef: { name: 'root' } } },
          trustBundle: {
            targets: [{ kind: 'ConfigMap', name: 'trust', items: [{ key: 'ca.crt', content: 'TrustBundle' }] }],
          },
        }),
        certificate(ns, 'plain'),
        certificate(ns, 'stores', {
          keystore: { passwordSecretRef: { name: 'password' } },
          secret: { type: 'Opaque', items: everyItem },
        }),
        {
          apiVersion: 'dbtls.dev/v1alpha1',
          kind: 'DatabaseTLSProfile',
          metadata: { namespace: ns, name: 'orders' },
          spec: {
            engine: 'MySQL',
            authorityRef: { name: 'ca' },
            topology: { services: ['mysql'], statefulSet: { name: 'mysql', replicas: 2 } },
            clients: [{ name: 'app' }],
          },
        },
      ),
    )
    await allReady()
    await quiet()
  })

  it('is upgraded, and nothing is issued anew', async () => {
    const was = await world()
    await plane.helmOk(['upgrade', release, join(repository, 'charts/dbtls'), '--namespace', release])
    await run(repository)
    await unchanged(was)
    await renews('with this release')
  })

  it('is rolled back, and nothing is issued anew', async () => {
    const was = await world()
    await plane.helmOk(['rollback', release, '--namespace', release])
    await run(before)
    await unchanged(was)
    await renews('with the former release')
  })

  it('is uninstalled while resources exist, and goes on where it was when it is installed again', async () => {
    const was = await world()
    await plane.helmOk(['uninstall', release, '--namespace', release, '--timeout', '2m'])
    expect(await world()).toEqual(was)
    expect((await plane.kubectlOk(['get', 'pki', '-n', ns, '-o', 'name'])).trim().split('\n').length).toBeGreaterThan(
      12,
    )
    await plane.helmOk(['install', release, join(repository, 'charts/dbtls'), '--namespace', release])
    await run(repository)
    await unchanged(was)
    await renews('installed again')
  })
})
