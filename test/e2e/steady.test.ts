import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, usedPermissions } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CustomThing, LedgerThing, Thing } from './support/api.ts'
import { entriesFor } from './support/ledger.ts'
import type { Manifest } from './support/manifests.ts'
import { authority, certificate, everyItem } from './support/manifests.ts'
import { Rig, certificates, listPermissions } from './support/rig.ts'

const ns = 'e2e-steady'
const many = 100
const restMs = 60_000
const args = ['--sweep-interval=3s']

const targets = (name: string) => ({
  targets: (['ConfigMap', 'Secret'] as const).map((kind) => ({
    kind,
    name,
    items: [
      { key: 'ca.crt', content: 'TrustBundle' },
      { key: 'truststore.p12', content: 'PKCS12Truststore' },
    ],
  })),
})

const profile = (clients: readonly object[]): Manifest => ({
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'DatabaseTLSProfile',
  metadata: { namespace: ns, name: 'profile' },
  spec: { engine: 'MySQL', authorityRef: { name: 'ca' }, topology: { services: ['mysql'] }, clients },
})

const seconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count * 1000))

describe('an operator with nothing to do', () => {
  let rig: Rig
  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-steady-operator' }, [ns])
    await rig.operator({ args })
    await rig.operator({ args })
    await rig.apply(
      authority(ns, 'root', { maxPathLength: 1 }),
      authority(ns, 'ca', {
        source: { intermediate: { authorityRef: { name: 'root' } } },
        trustBundle: targets('trust'),
      }),
      authority(ns, 'brief', { trustBundle: targets('brief') }),
      ...Array.from({ length: many - 1 }, (_, at) => certificate(ns, `db-${at}`)),
      certificate(ns, 'stores', { secret: { type: 'Opaque', items: everyItem, labels: { team: 'orders' } } }),
      profile([{ name: 'app' }, { name: 'former' }]),
    )
    // The profile's are the server's and two clients'.
    await rig.allReady(ns, many + 3)
    await rig.ready(ns, 'databasetlsprofiles', 'profile')
  })
  afterAll(() => rig.stop())

  it('marks in the ledger what a renewal replaced', async () => {
    const { status } = await rig.api.get<CustomThing>(certificates, ns, 'db-0')
    await rig.apply(certificate(ns, 'db-0', { renewTrigger: 'now' }))
    const marked = await eventually(
      'the mark',
      async () =>
        (await entriesFor(rig.api, ns, 'db-0')).find((entry: LedgerThing) => entry.status?.state === 'Superseded'),
      { timeoutMs: 60_000 },
    )
    expect(marked.spec.serialNumber).toBe(status?.serialNumber)
    expect(marked.metadata.labels?.['dbtls.dev/state']).toBe('Superseded')
    const shown = await rig.plane.kubectlOk(['-n', ns, 'get', 'dbissued', '--field-selector=status.state=Superseded'])
    expect(shown.trim().split('\n')).toHaveLength(2)
  })

  it('repairs what is trusted, and takes it away with its CA', async () => {
    await rig.api.patch('configmaps', ns, 'trust', { data: { 'ca.crt': 'evil' } })
    await eventually('the repair', async () => {
      const { data } = await rig.api.get<Thing & { readonly data?: Record<string, string> }>('configmaps', ns, 'trust')
      return data?.['ca.crt']?.startsWith('-----BEGIN CERTIFICATE-----') === true
    })
    await rig.api.delete('certificateauthorities', ns, 'brief')
    for (const plural of ['configmaps', 'secrets'])
      await eventually(`${plural} to go`, async () => (await rig.api.find(plural, ns, 'brief')) === undefined)
  })

  it('removes what a profile asks for no longer', async () => {
    await rig.apply(profile([{ name: 'app' }]))
    await eventually('the certificate to go', async () => {
      return (await rig.api.find(certificates, ns, 'profile-former')) === undefined
    })
    await rig.ready(ns, 'databasetlsprofiles', 'profile')
  })

  it('folds the same event into a series, and tells of it at the latest when it ends', async () => {
    const [leader] = rig.operators
    for (const _ of [1, 2, 3]) {
      await rig.api.patch('secrets', ns, 'stores-tls', { metadata: { labels: { team: null } } })
      await rig.secretUntil('the label', ns, 'stores-tls', ({ metadata }) => metadata.labels?.['team'] === 'orders')
    }
    await rig.ready(ns, certificates, 'stores')
    await leader?.stop()
    const { items } = await rig.plane.getJson<{
      items: readonly { readonly reason: string; readonly series?: { readonly count: number } }[]
    }>(['-n', ns, 'events.events.k8s.io'])
    expect(items.filter(({ reason }) => reason === 'Encoding').map(({ series }) => series?.count)).toEqual([3])
    await rig.operator({ args })
  })

  it(
    'writes nothing for a minute but its Lease, even when a replica is restarted meanwhile',
    async () => {
      await rig.quiet(4_000)
      const since = Date.now()
      await seconds(20)
      const [, leader] = rig.operators
      await leader?.stop()
      const again = await rig.operator({ args })
      await seconds(Math.max(0, (since + restMs - Date.now()) / 1000))
      expect(rig.writes(since).map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([])
      expect(again.running).toBe(true)
    },
    restMs + 60_000,
  )

  it('forgets a certificate that has ended, when its CA says so', async () => {
    await rig.apply(
      authority(ns, 'forgetful', { ledger: { keepExpiredFor: '0s' } }),
      certificate(ns, 'short-lived', { authorityRef: { name: 'forgetful' }, duration: '10s' }),
    )
    await rig.ready(ns, certificates, 'short-lived')
    const [first] = await entriesFor(rig.api, ns, 'short-lived')
    await eventually(
      'the entry to go',
      async () =>
        !(await entriesFor(rig.api, ns, 'short-lived')).some(({ metadata }) => metadata.name === first?.metadata.name),
      { timeoutMs: 60_000 },
    )
  }, 90_000)

  it('has used every right that the chart grants, and asked for none beyond', async () => {
    const { user } = rig.chart
    // A watch is in the audit log when it ends.
    for (const operator of rig.operators) await operator.stop()
    const granted = await rig.chart.grantedPermissions()
    await eventually('the watches to be in the audit log', async () =>
      usedPermissions(rig.plane.auditLog(), { user }).has('watch /secrets'),
    )
    const used = usedPermissions(rig.plane.auditLog(), { user })
    expect([...used].filter((permission) => !granted.has(permission))).toEqual([])
    // This server fills caches by watching alone; on one that cannot, faults.test.ts sees them listed.
    expect(new Set([...granted].filter((permission) => !used.has(permission)))).toEqual(listPermissions)
    expect(rig.forbidden()).toEqual([])
  })
})
