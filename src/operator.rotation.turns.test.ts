import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { ask, counted, inPhase, noSoak, rotated, rotationOf } from './operator.rotation.fixture.ts'
import { withVerbs } from './faults.fixture.ts'
import type { IssuedCertificate } from './resources/issued-certificate.ts'
import {
  authority,
  authorityReady,
  authoritySays,
  certificate,
  day,
  entriesOf,
  fresh,
  getAuthority,
  getSecret,
  leafOf,
  messageOf,
  profile,
  profileReady,
  put,
  quiet,
  ready,
  revoke,
  until,
  writesOfRest,
} from './testing.ts'

/** Issuances under way at each moment: from the ledger's entry to the status of its holder. */
const observed = (cluster: Cluster) => {
  const order: string[] = []
  const underWay = new Set<string>()
  let most = 0
  let counts = false
  const port = withVerbs(cluster, {
    create: (async (...args: Parameters<Cluster['create']>) => {
      const holder = (args[1] as unknown as IssuedCertificate).spec?.certificateRef
      if (counts && args[0].plural === 'issuedcertificates' && holder !== undefined && holder.name !== 'ca') {
        order.push(holder.name)
        underWay.add(holder.name)
        most = Math.max(most, underWay.size)
      }
      return cluster.create(...args)
    }) as Cluster['create'],
    updateStatus: (async (...args: Parameters<Cluster['updateStatus']>) => {
      const answer = await cluster.updateStatus(...args)
      if (args[0].plural === 'databasecertificates') underWay.delete(args[1].metadata.name)
      return answer
    }) as Cluster['updateStatus'],
  })
  return {
    port,
    order,
    get most() {
      return most
    },
    begin: () => void (counts = true),
  }
}

describe('in Signing', () => {
  it('at most maxParallel certificates move at a time, servers before clients', async () => {
    let seen: ReturnType<typeof observed> | undefined
    const { cluster } = await fresh((port) => (seen = observed(port)).port)
    await put(cluster, authority({ rotation: { ...noSoak, maxParallel: 2 } }))
    await authorityReady(cluster)
    const clients = [1, 2, 3, 4].map((n) => `a-client-${n}`)
    const servers = [1, 2, 3, 4].map((n) => `server-${n}`)
    for (const name of clients)
      await put(cluster, certificate({ role: 'Client', subject: { commonName: name }, dnsNames: [] }, name))
    for (const name of servers) await put(cluster, certificate({}, name))
    for (const name of [...clients, ...servers]) await ready(cluster, name)
    seen?.begin()
    await ask(cluster, { trigger: 'one' })
    await rotated(cluster, 'one')
    expect(seen?.order).toHaveLength(8)
    expect(seen?.order.slice(0, 4).toSorted()).toEqual(servers)
    expect(seen?.most).toBe(2)
  })

  it('of servers with a certificate each one moves at a time', async () => {
    let seen: ReturnType<typeof observed> | undefined
    const { cluster } = await fresh((port) => (seen = observed(port)).port)
    await put(cluster, authority({ rotation: noSoak }))
    const statefulSet = { name: 'orders', replicas: 3 }
    await put(cluster, profile({ topology: { statefulSet, certificatePer: 'Pod' }, clients: [{ name: 'app' }] }))
    await profileReady(cluster)
    seen?.begin()
    await ask(cluster, { trigger: 'one' })
    await rotated(cluster, 'one')
    expect(seen?.order.at(-1)).toBe('orders-app')
    expect(seen?.order).toHaveLength(4)
    expect(seen?.most).toBe(1)
  })

  it('those that are due by time share the budget, and all have their turn', async () => {
    let seen: ReturnType<typeof observed> | undefined
    const { cluster, clock, operator } = await fresh((port) => (seen = observed(port)).port)
    const closed = [{ cron: '0 0 25 3 *', duration: '1m' }]
    const rotation = { ...noSoak, maxParallel: 1 }
    await put(cluster, authority({ rotation }))
    await put(cluster, certificate({ rotation: { windows: closed } }, 'patient'))
    await ready(cluster, 'patient')
    const names = [1, 2, 3, 4, 5].map((n) => `server-${n}`)
    for (const name of names) await put(cluster, certificate({}, name))
    for (const name of names) await ready(cluster, name)
    await ask(cluster, { trigger: 'one' })
    await until('all but one to have moved', async () => (await rotationOf(cluster)).pending?.certificates === 1)
    await quiet(operator)
    const serials = () =>
      Promise.all(names.map(async (name) => leafOf(await getSecret(cluster, `${name}-tls`)).serialNumber))
    const before = await serials()
    seen?.begin()
    clock.setNow(clock.now() + 61 * day)
    // They are looked at, all at one time.
    await put(cluster, authority({ rotation: { ...rotation, trigger: 'one' }, allowedNamespaces: { from: 'All' } }))
    await until('all of them to be renewed', async () => {
      const after = await serials()
      return after.every((serial, at) => serial !== before[at])
    })
    expect(seen?.order.toSorted()).toEqual(names)
    expect(seen?.most).toBe(1)
  })

  it('one that is due for another reason does not wait for its turn', async () => {
    const { cluster } = await fresh()
    const closed = [{ cron: '0 0 1 2 *', duration: '1m' }]
    await put(cluster, authority({ rotation: noSoak }))
    await put(cluster, certificate({ rotation: { windows: closed } }, 'patient'))
    await ready(cluster, 'patient')
    const serial = async () => leafOf(await getSecret(cluster, 'patient-tls')).serialNumber
    const before = await serial()
    await ask(cluster, { trigger: 'one' })
    await inPhase(cluster, 'Signing')
    await until('it to be named', async () =>
      (await rotationOf(cluster)).message?.includes('DatabaseCertificate data/patient'),
    )
    expect(await serial()).toBe(before)
    await put(cluster, certificate({ dnsNames: ['other.data.svc'], rotation: { windows: closed } }, 'patient'))
    await rotated(cluster, 'one')
    expect(await serial()).not.toBe(before)
  })
})

describe('a compromised CA', () => {
  const rotation = { trustSoak: '0s', dropSoak: '24h', reason: 'Compromised' }

  it('has what it signed revoked when that is replaced, and itself at the end', async () => {
    const running = await fresh()
    const { cluster, clock, operator } = running
    await put(cluster, authority({ crl: { enabled: true }, rotation }))
    await put(cluster, certificate({}, 'server'))
    const { serialNumber } = (await ready(cluster, 'server')).status ?? {}
    const own = (await getAuthority(cluster)).status?.certificate?.serialNumber
    await ask(cluster, { trigger: 'one' })
    await inPhase(cluster, 'DropSoak')
    const revocationOf = async (serial: string | undefined) =>
      (await entriesOf(cluster)).find(({ spec }) => spec.serialNumber === serial)?.spec.revocation
    await until('the leaf to be revoked', async () => (await revocationOf(serialNumber))?.reason === 'superseded')
    expect(await revocationOf(own)).toBeUndefined()
    await clock.advance(25 * 3_600_000)
    await rotated(cluster, 'one')
    expect((await revocationOf(own))?.reason).toBe('cACompromise')
    const renewed = leafOf(await getSecret(cluster, 'server-tls')).serialNumber
    expect(await revocationOf(renewed)).toBeUndefined()
    await quiet(operator)
    await ready(cluster, 'server')
  })

  it.each(['self', 'intermediate'] as const)(
    'that is revoked before the switch signs nothing more, and is replaced (%s)',
    async (kind) => {
      const running = await fresh()
      const { cluster, operator, events } = running
      const source = { source: { intermediate: { authorityRef: { name: 'root' } } } }
      if (kind === 'intermediate') await put(cluster, authority({ maxPathLength: 1 }, 'root'))
      await put(cluster, authority({ rotation: noSoak, ...(kind === 'intermediate' ? source : {}) }))
      await put(cluster, certificate({}, 'server'))
      await ready(cluster, 'server')
      const { fingerprint, serialNumber } = (await getAuthority(cluster)).status?.certificate ?? {}
      await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' })
      await inPhase(cluster, 'TrustBoth')
      await until('it to be held', async () => (await rotationOf(cluster)).message?.includes('Held at TrustBoth'))
      await revoke(cluster, serialNumber, { reason: 'cACompromise' })
      await authoritySays(cluster, 'Ready', 'was revoked (cACompromise) and signs nothing; the next one does')
      await put(cluster, certificate({}, 'later'))
      await until('a word', async () => (await messageOf(cluster, 'later')).includes('was revoked, and signs nothing.'))
      await quiet(operator)
      await expect(getSecret(cluster, 'later-tls')).rejects.toThrow()
      await ask(cluster, { holdAt: '' })
      await rotated(cluster, 'one')
      await ready(cluster, 'later')
      const after = (await getAuthority(cluster)).status?.certificate
      expect(after?.fingerprint).not.toBe(fingerprint)
      expect((await ready(cluster, 'server')).status?.authorityFingerprint).toBe(after?.fingerprint)
      expect(events.filter(({ reason }) => reason === 'Renewed')).toEqual([])
    },
  )

  it('that is revoked at rest says what to do, and does it', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority({ rotation: { ...noSoak, onTrigger: 'ReuseKey' } }))
    await put(cluster, certificate({}, 'server'))
    await ready(cluster, 'server')
    const { publicKeyHash, serialNumber } = (await getAuthority(cluster)).status?.certificate ?? {}
    await revoke(cluster, serialNumber, { reason: 'cACompromise' })
    await authoritySays(cluster, 'Revoked', 'change spec.rotation.trigger')
    await ask(cluster, { trigger: 'one' })
    await rotated(cluster, 'one')
    expect((await authorityReady(cluster)).status?.certificate?.publicKeyHash).not.toBe(publicKeyHash)
    await ready(cluster, 'server')
  })

  it('is dropped from trust first, where dropOld is Now', async () => {
    const written: string[] = []
    const running = await fresh((port) => counted(port, written))
    const { cluster, operator } = running
    await put(cluster, authority({ rotation }))
    await put(cluster, certificate({}, 'server'))
    await ready(cluster, 'server')
    const first = (await getAuthority(cluster)).status?.certificate?.fingerprint
    await ask(cluster, { trigger: 'one', dropOld: 'Now' })
    const after = await rotated(cluster, 'one')
    expect(after.status?.certificate?.fingerprint).not.toBe(first)
    await quiet(operator)
    await ready(cluster, 'server')
    // One write of the leaf: there is no time in which both are trusted.
    expect(written.filter((name) => name === 'server-tls')).toHaveLength(2)
    expect(await writesOfRest(running)).toEqual([])
  })
})
