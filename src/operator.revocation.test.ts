import { describe, expect, it } from 'vitest'
import { ApiError } from './cluster/errors.ts'
import type { Cluster } from './cluster/port.ts'
import { interrupted } from './faults.fixture.ts'
import { decodePem } from './pki/encoding/pem.ts'
import { type ParsedRevocationList, parseRevocationList } from './pki/revocation/revocation-list.ts'
import { certificateAuthorities, type CertificateAuthority } from './resources/certificate-authority.ts'
import { findCondition, isReady } from './resources/conditions.ts'
import { type ConfigMap, configMaps } from './resources/core.ts'
import { listNumberOf } from './resources/crl-number.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import { issuedCertificates } from './resources/issued-certificate.ts'
import {
  authority,
  authorityReady,
  certificate,
  configMapOf,
  day,
  emptyCluster,
  entriesOf,
  entryOf,
  fresh,
  getAuthority,
  getCertificate,
  intermediate,
  issuedOnce,
  namespace,
  newCluster,
  pass,
  person,
  put,
  quiet,
  ready,
  revoke,
  somebody,
  start,
  until,
} from './testing.ts'

const minute = 60_000
const crl = { crl: { duration: '10d', renewBefore: '3d' } }

const listMap = (cluster: Cluster, name = 'ca'): Promise<ConfigMap> =>
  cluster.get(configMaps, { namespace, name: `${name}-crl` })
const listOf = (map: ConfigMap): ParsedRevocationList => {
  const [block] = decodePem(map.data?.['ca.crl'] ?? '')
  if (block === undefined) throw new Error('no list')
  return parseRevocationList(block.der)
}
const present = async (cluster: Cluster, name = 'ca'): Promise<ParsedRevocationList | undefined> => {
  try {
    return listOf(await listMap(cluster, name))
  } catch {
    return undefined
  }
}
const condition = async (cluster: Cluster) =>
  findCondition((await getAuthority(cluster)).status?.conditions, 'RevocationListCurrent')

/** A list that status knows of, and that satisfies. */
const reported = (cluster: Cluster, what: string, is: (list: ParsedRevocationList) => boolean, name = 'ca') =>
  until(`a list ${what}`, async () => {
    const list = await present(cluster, name)
    if (list === undefined || !is(list)) return undefined
    const { status } = await getAuthority(cluster, name)
    return listNumberOf(status?.crl) === list.number && list
  })
const naming =
  (...serials: (string | undefined)[]) =>
  (list: ParsedRevocationList): boolean =>
    list.revoked.length === serials.length && list.revoked.every(({ serialNumber }) => serials.includes(serialNumber))

const withList = async (more: object = {}, spec: object = {}) => {
  const world = await issuedOnce(spec, { crl: { ...crl.crl, ...more } })
  const first = await reported(world.cluster, 'without entries', naming())
  await quiet(world.operator)
  return { ...world, first }
}

describe('a revocation list', () => {
  it('is there as soon as the CA is, empty, signed, and told of', async () => {
    const { cluster, first, events, operator, writes, clock } = await withList()
    const { status } = await getAuthority(cluster)
    expect(first).toMatchObject({ number: 1n, revoked: [] })
    expect(status?.crl).toMatchObject({ number: 1, entries: 0 })
    expect((first.nextUpdate ?? 0) - clock.now()).toBeGreaterThan(9 * day)
    expect(Buffer.from(first.authorityKeyId ?? []).toString('hex')).toBe(status?.certificate?.subjectKeyId)
    expect(await condition(cluster)).toMatchObject({ status: 'True', reason: 'RevocationListIssued' })
    expect(events.filter(({ reason }) => reason === 'RevocationListIssued')).toHaveLength(1)
    const before = writes.length
    await clock.advance(13 * 3_600_000)
    await quiet(operator)
    expect(writes.slice(before)).toEqual([])
  })

  it('does not exist without spec.crl, nor where it is not enabled', async () => {
    const { cluster, operator } = await issuedOnce({}, { crl: { enabled: false } })
    await quiet(operator)
    expect(await present(cluster)).toBeUndefined()
    expect(await condition(cluster)).toBeUndefined()
  })

  it('names a revoked certificate within moments, and its entry is marked', async () => {
    const { cluster, serial } = await withList()
    await revoke(cluster, serial, { reason: 'keyCompromise', invalidityTime: '2020-01-01T00:00:00Z' })
    const list = await reported(cluster, 'with it', naming(serial))
    expect(list.number).toBe(2n)
    expect(list.revoked[0]).toMatchObject({
      reason: 'keyCompromise',
      invalidityTime: Date.parse('2020-01-01T00:00:00Z'),
    })
    const marked = await until('the mark', async () => {
      const entry = await entryOf(cluster, serial)
      return entry.status?.state === 'Revoked' && entry.metadata.labels?.['dbtls.dev/state'] === 'Revoked' && entry
    })
    expect(marked.status?.revokedAt).toBeDefined()
  })

  it('is not made while the CA is held, nor before the CA was looked at after that', async () => {
    const { cluster, clock, operator, serial } = await withList()
    const change = async (metadata: object) => {
      const { apiVersion, kind } = await getAuthority(cluster)
      const object = { apiVersion, kind, metadata: { name: 'ca', namespace, ...metadata } }
      await cluster.apply(certificateAuthorities, object as unknown as CertificateAuthority, {
        fieldManager: 'restore',
        force: true,
      })
    }
    const before = await present(cluster)
    await change({ annotations: { 'dbtls.dev/hold': 'not complete' } })
    await until('the CA to say so', async () => !isReady(await getAuthority(cluster)))
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    for (let rounds = 0; rounds < 3; rounds += 1) {
      await quiet(operator)
      await clock.advance(60_000)
    }
    expect((await present(cluster))?.number).toBe(before?.number)
    await change({})
    await reported(cluster, 'with the revocation', naming(serial))
  })

  it('lets go of a certificate whose hold is taken back, and keeps one whose hold became final', async () => {
    const { cluster, serial } = await withList()
    await revoke(cluster, serial, { reason: 'certificateHold' })
    await reported(cluster, 'with the hold', naming(serial))
    await until('the mark', async () => (await entryOf(cluster, serial)).status?.state === 'Revoked')
    await revoke(cluster, serial, undefined)
    expect((await reported(cluster, 'without it', naming())).number).toBe(3n)
    await until('the mark', async () => (await entryOf(cluster, serial)).status?.state === 'Valid')
    await revoke(cluster, serial, { reason: 'certificateHold' })
    const held = await reported(cluster, 'with the hold again', naming(serial))
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    const final = await reported(cluster, 'with the reason', (list) => list.revoked[0]?.reason === 'keyCompromise')
    expect(final.revoked[0]?.revokedAt).toBe(held.revoked[0]?.revokedAt)
  })

  it('is one list for many revocations at once', async () => {
    const { cluster, clock } = await withList()
    await Promise.all(Array.from({ length: 30 }, (_, at) => put(cluster, certificate({}, `many-${at}`))))
    for (let at = 0; at < 30; at += 1) await ready(cluster, `many-${at}`)
    const serials = await Promise.all(
      Array.from({ length: 30 }, async (_, at) => (await getCertificate(cluster, `many-${at}`)).status?.serialNumber),
    )
    const before = (await present(cluster))?.number ?? 0n
    for (const serial of serials) await revoke(cluster, serial, { reason: 'superseded' })
    await clock.advance(1500)
    const list = await reported(cluster, 'with all', naming(...serials))
    expect(Number(list.number) - Number(before)).toBeLessThanOrEqual(2)
  })

  it('is made anew before its end, with nothing changed but number and times', async () => {
    const { clock, cluster, first } = await withList()
    await pass(clock, 8 * day)
    const next = await reported(cluster, 'that is new', (list) => (list.number ?? 0n) > 1n)
    expect(next.nextUpdate).toBeGreaterThan(first.nextUpdate ?? 0)
    expect(next.revoked).toEqual([])
  })

  it('keeps a revoked certificate until a list after its end, and then lets it and its entry go', async () => {
    const { clock, cluster, serial } = await withList({}, { duration: '5d', renewBefore: '1d' })
    await put(cluster, {
      ...certificate(),
      spec: { ...(certificate() as unknown as { spec: object }).spec, duration: '50d', renewBefore: '1d' },
    } as never)
    await until('another certificate', async () => (await getCertificate(cluster)).status?.serialNumber !== serial)
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    await reported(cluster, 'with it', naming(serial))
    await pass(clock, 8 * day)
    const after = await reported(cluster, 'after its end', (list) => list.thisUpdate > clock.now() - 2 * day)
    expect(naming(serial)(after)).toBe(true)
    await pass(clock, 8 * day)
    await reported(cluster, 'without it', naming())
    await pass(clock, 100 * day)
    await until(
      'the entry to be pruned',
      async () => !(await entriesOf(cluster)).some(({ spec }) => spec.serialNumber === serial),
    )
  })

  it('is written again with the next number where somebody changed or deleted it', async () => {
    const { cluster, serial } = await withList()
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    await reported(cluster, 'with it', naming(serial))
    const map = await listMap(cluster)
    await cluster.update(configMaps, { ...map, data: { 'ca.crl': 'nothing' } }, somebody)
    // One is left out: what is gone may have been newer than what was reported.
    expect((await reported(cluster, 'repaired', naming(serial))).number).toBe(4n)
    await cluster.delete(configMaps, { namespace, name: 'ca-crl' })
    const list = await reported(cluster, 'made again', naming(serial))
    expect(list.number).toBe(6n)
  })

  it('does not go back to an older list that somebody puts in its place', async () => {
    const { cluster, serial } = await withList()
    const old = await listMap(cluster)
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    await reported(cluster, 'with it', naming(serial))
    const { metadata } = await listMap(cluster)
    const annotations = { ...old.metadata.annotations }
    await cluster.update(configMaps, { ...old, metadata: { ...metadata, annotations } }, somebody)
    expect((await reported(cluster, 'newer than both', (list) => list.number === 3n)).revoked).toHaveLength(1)
  })

  it('does not change a version that only got a label of somebody else', async () => {
    const { cluster, operator, writes, first } = await withList()
    const before = writes.length
    const map = await listMap(cluster)
    await cluster.update(
      configMaps,
      { ...map, metadata: { ...map.metadata, labels: { ...map.metadata.labels, mine: 'yes' } } },
      somebody,
    )
    await quiet(operator)
    expect(writes.slice(before)).toEqual([])
    expect((await present(cluster))?.number).toBe(first.number)
  })

  it('is not written over a ConfigMap of somebody else; the CA signs all the same', async () => {
    const { clock, cluster } = emptyCluster()
    await cluster.create(configMaps, configMapOf('ca-crl', { mine: 'x' }), person)
    await start(cluster, clock)
    await put(cluster, authority(crl))
    await put(cluster, certificate())
    await ready(cluster)
    await until('the reason', async () => (await condition(cluster))?.reason === 'ConfigMapInTheWay')
    expect((await listMap(cluster)).data).toEqual({ mine: 'x' })
    expect(isReady(await getAuthority(cluster))).toBe(true)
    await cluster.delete(configMaps, { namespace, name: 'ca-crl' })
    await reported(cluster, 'after all', naming())
  })

  it('stays as it is when it is asked for no more, and goes on with its number when it is again', async () => {
    const { cluster, operator, serial, first } = await withList()
    await put(cluster, authority({ crl: { ...crl.crl, enabled: false } }))
    await until('the condition to go', async () => (await condition(cluster)) === undefined)
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    await quiet(operator)
    expect((await present(cluster))?.number).toBe(first.number)
    await put(cluster, authority(crl))
    expect((await reported(cluster, 'again', naming(serial))).number).toBe(2n)
  })

  it('has a number of its own after one whose writing ended nobody knows how', async () => {
    const { cluster, clock, stop, serial } = await withList()
    await stop()
    const lost = new ApiError({ status: 0, reason: 'Network', message: 'connection reset', ambiguous: true })
    await start(
      interrupted(cluster, 'apply', 'configmaps', () => Promise.reject(lost)),
      clock,
    )
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    expect((await reported(cluster, 'with it', naming(serial))).number).toBe(3n)
  })

  it('goes on from a number that an import reported while a list was being made', async () => {
    const { cluster, clock, stop, serial } = await withList()
    await stop()
    const raise = async (): Promise<void> => {
      const ca = await getAuthority(cluster)
      const raised = { ...ca.status?.crl, number: 50, entries: 0 }
      await cluster.updateStatus(
        certificateAuthorities,
        { ...ca, status: { ...ca.status, crl: raised } } as CertificateAuthority,
        person,
      )
      await until('the number in the cache', () =>
        Promise.resolve(running.operator.caches.authorities.store.get(`${namespace}/ca`)?.status?.crl?.number === 50),
      )
    }
    const running = await start(interrupted(cluster, 'apply', 'configmaps', raise), clock)
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    const list = await reported(cluster, 'of the raised number', (one) => (one.number ?? 0n) > 50n)
    expect([list.number, list.revoked.map(({ serialNumber }) => serialNumber)]).toEqual([51n, [serial]])
  })

  it('goes on from a number that JSON does not keep, whatever of it is lost', async () => {
    const { cluster, clock, stop, serial } = await withList()
    await stop()
    const ca = await getAuthority(cluster)
    const raised = { ...ca.status?.crl, number: Number.MAX_SAFE_INTEGER, largeNumber: String(2n ** 100n) }
    await cluster.updateStatus(
      certificateAuthorities,
      { ...ca, status: { ...ca.status, crl: raised } } as CertificateAuthority,
      person,
    )
    await start(cluster, clock)
    await revoke(cluster, serial, { reason: 'certificateHold' })
    const first = await reported(cluster, 'after the raised number', naming(serial))
    expect(first.number).toBe(2n ** 100n + 1n)
    await cluster.delete(configMaps, { namespace, name: 'ca-crl' })
    const again = await reported(cluster, 'after a loss', ({ number = 0n }) => number > 2n ** 100n + 1n)
    expect(again.number).toBe(2n ** 100n + 3n)
  })

  it('is the same, and reported again, where status alone was lost', async () => {
    const { cluster, clock, operator, stop, first } = await withList()
    await quiet(operator)
    await stop()
    const ca = await getAuthority(cluster)
    const { crl: _, ...status } = ca.status ?? {}
    await cluster.updateStatus(certificateAuthorities, { ...ca, status }, person)
    await start(cluster, clock)
    expect((await reported(cluster, 'of before', naming())).number).toBe(first.number)
  })

  it('jumps to the seconds since the epoch where status and ConfigMap were lost, and the ledger was not', async () => {
    const { cluster, clock, operator, stop, serial } = await withList()
    await quiet(operator)
    await stop()
    await cluster.delete(configMaps, { namespace, name: 'ca-crl' })
    const ca = await getAuthority(cluster)
    const { crl: _, ...status } = ca.status ?? {}
    await cluster.updateStatus(certificateAuthorities, { ...ca, status }, person)
    clock.setNow(clock.now() + 2 * minute)
    await start(cluster, clock)
    const list = await reported(cluster, 'of another process', naming())
    expect(list.number).toBeGreaterThanOrEqual(BigInt(Math.floor(clock.now() / 1000)) - 10n)
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    expect((await reported(cluster, 'after it', naming(serial))).number).toBe((list.number ?? 0n) + 1n)
  })
})

describe('a process that dies while it makes a list', () => {
  const moments = [1, 2, 3, 4].flatMap((at) => [
    { at, when: 'before' as const },
    { at, when: 'after' as const },
  ])
  it.each(moments)('leaves no number with two contents (write $at, dead $when)', async ({ at, when }) => {
    const { clock, cluster, serial, stop, first } = await withList()
    await stop()
    const seen = new Map([[first.number, Buffer.from(first.der).toString('hex')]])
    const note = (list: ParsedRevocationList | undefined): void => {
      if (list === undefined) return
      const hex = Buffer.from(list.der).toString('hex')
      expect(seen.get(list.number) ?? hex).toBe(hex)
      seen.set(list.number, hex)
    }
    const second = await start(cluster, clock)
    second.dieAt(at, when)
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    for (let tries = 0; tries < 200 && !second.dead; tries += 1) {
      await clock.advance(20)
      await quiet(second.operator)
    }
    note(await present(cluster))
    await second.stop()
    await start(cluster, clock)
    const list = await reported(cluster, 'that names it', naming(serial))
    note(list)
    expect(list.number).toBeLessThanOrEqual(3n)
    await until('the mark', async () => (await entryOf(cluster, serial)).status?.state === 'Revoked')
  })
})

describe('a certificate that is deleted', () => {
  const remove = (cluster: Cluster) => cluster.delete(databaseCertificates, { namespace, name: 'orders' })

  it('is revoked where the CA says so, after a moment', async () => {
    const { clock, cluster, serial, events } = await withList({ onDelete: 'Revoke' })
    await remove(cluster)
    await clock.advance(30_000)
    expect((await entryOf(cluster, serial)).spec.revocation).toBeUndefined()
    await clock.advance(40_000)
    const list = await reported(cluster, 'with it', naming(serial))
    expect(list.revoked[0]?.reason).toBe('cessationOfOperation')
    expect(events.some(({ reason, note }) => reason === 'Revoked' && note.includes('data/orders was deleted'))).toBe(
      true,
    )
  })

  it('is revoked, too, where it was deleted while nobody looked', async () => {
    const { clock, cluster, serial, stop } = await withList({ onDelete: 'Revoke' })
    await stop()
    await remove(cluster)
    const { operator } = await start(cluster, clock)
    await quiet(operator)
    await clock.advance(12 * minute)
    await reported(cluster, 'with it', naming(serial))
  })

  it('is revoked when a hold is taken back that was on it then', async () => {
    const { clock, cluster, serial, operator } = await withList({ onDelete: 'Revoke' })
    await revoke(cluster, serial, { reason: 'certificateHold' })
    await reported(cluster, 'with the hold', naming(serial))
    await remove(cluster)
    await clock.advance(3_600_000)
    await quiet(operator)
    await revoke(cluster, serial)
    await clock.advance(3_600_000)
    await quiet(operator)
    await clock.advance(3_600_000)
    expect((await entryOf(cluster, serial)).spec.revocation?.reason).toBe('cessationOfOperation')
  })

  it('is left alone where the CA keeps it', async () => {
    const { clock, cluster, serial, operator } = await withList({ onDelete: 'Keep' })
    await remove(cluster)
    await clock.advance(3_600_000)
    await quiet(operator)
    expect((await entryOf(cluster, serial)).spec.revocation).toBeUndefined()
  })

  it('is left alone where it was made anew at once and took up its Secret', async () => {
    const { clock, cluster, serial, operator } = await withList(
      { onDelete: 'Revoke' },
      { secret: { name: 'orders-tls', deletionPolicy: 'Retain' } },
    )
    await remove(cluster)
    await put(cluster, certificate({ secret: { name: 'orders-tls', deletionPolicy: 'Retain' } }))
    expect((await ready(cluster)).status?.serialNumber).toBe(serial)
    await clock.advance(3_600_000)
    await quiet(operator)
    expect((await entryOf(cluster, serial)).spec.revocation).toBeUndefined()
  })

  it('is revoked where another one of its name has a certificate of its own', async () => {
    const { clock, cluster, serial, operator } = await withList({ onDelete: 'Revoke' })
    await remove(cluster)
    await until('the Secret to go', async () => {
      const { items } = await cluster.list(
        { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true },
        { namespace },
      )
      return !items.some(({ metadata }) => metadata.name === 'orders-tls')
    })
    await put(cluster, certificate())
    expect((await ready(cluster)).status?.serialNumber).not.toBe(serial)
    await clock.advance(2 * minute)
    await quiet(operator)
    await reported(cluster, 'with the first', naming(serial))
  })

  it('is left alone where its ledger came back from a backup and its manifest has not yet', async () => {
    const { clock, cluster, serial, stop, operator } = await withList({ onDelete: 'Revoke' })
    await quiet(operator)
    await stop()
    const other = newCluster(clock)
    clock.setNow(clock.now() + day)
    for (const entry of await entriesOf(cluster)) {
      const { name, labels = {} } = entry.metadata
      await other.create(issuedCertificates, { ...entry, metadata: { name, namespace, labels } }, person)
    }
    const again = await start(other, clock)
    await put(other, authority({ crl: { ...crl.crl, onDelete: 'Revoke' } }, 'ca'))
    await until('the CA', async () => (await getAuthority(other)).status !== undefined)
    await clock.advance(3_600_000)
    await quiet(again.operator)
    expect((await entryOf(other, serial)).spec.revocation).toBeUndefined()
  })

  it('is left alone while its namespace is being deleted', async () => {
    const { clock, cluster, serial, operator } = await withList({ onDelete: 'Revoke' })
    operator.caches.namespaces?.wrote({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, uid: 'n', resourceVersion: '999999', deletionTimestamp: '2026-11-21T00:00:00Z' },
    })
    await remove(cluster)
    await clock.advance(3_600_000)
    await quiet(operator)
    expect((await entryOf(cluster, serial)).spec.revocation).toBeUndefined()
  })
})

describe('a certificate that is replaced', () => {
  it('is revoked some minutes later where the CA says so, and not before', async () => {
    const { clock, cluster, serial, operator, anotherSerial } = await withList({ onSupersede: 'Revoke' })
    await put(cluster, certificate({ renewTrigger: '1' }))
    const { status } = await anotherSerial()
    await clock.advance(9 * minute)
    await quiet(operator)
    expect((await entryOf(cluster, serial)).spec.revocation).toBeUndefined()
    await clock.advance(12 * minute)
    const list = await reported(cluster, 'with the first', naming(serial))
    expect(list.revoked[0]?.reason).toBe('superseded')
    expect((await entryOf(cluster, status?.serialNumber)).spec.revocation).toBeUndefined()
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(status?.serialNumber)
  })

  it('is kept otherwise', async () => {
    const { clock, cluster, serial, operator, anotherSerial } = await withList()
    await put(cluster, certificate({ renewTrigger: '1' }))
    await anotherSerial()
    await clock.advance(3_600_000)
    await quiet(operator)
    expect((await entryOf(cluster, serial)).spec.revocation).toBeUndefined()
  })
})

describe('an authority whose own certificate is revoked', () => {
  it('is on the list of the CA above, signs nothing, and goes on when a hold is taken back', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority({ maxPathLength: 1, ...crl }, 'root'))
    await put(cluster, intermediate())
    await authorityReady(cluster)
    const serial = (await getAuthority(cluster)).status?.certificate?.serialNumber
    await revoke(cluster, serial, { reason: 'certificateHold' })
    await reported(cluster, 'with the intermediate', naming(serial), 'root')
    await until(
      'Revoked',
      async () => findCondition((await getAuthority(cluster)).status?.conditions, 'Stalled')?.reason === 'Revoked',
    )
    await put(cluster, certificate())
    await until('a wait', async () => ((await getCertificate(cluster)).status?.conditions ?? []).length > 0)
    expect((await getCertificate(cluster)).status?.serialNumber).toBeUndefined()
    await revoke(cluster, serial, undefined)
    await ready(cluster)
  })
})

describe('a certificate that asks another CA', () => {
  it('has the former one superseded, and revoked where that CA says so', async () => {
    const { clock, cluster, serial, operator } = await withList({ onSupersede: 'Revoke' })
    await put(cluster, authority({}, 'cb'))
    await authorityReady(cluster, 'cb')
    await put(cluster, certificate({ authorityRef: { name: 'cb' } }))
    await until('another one', async () => (await getCertificate(cluster)).status?.serialNumber !== serial)
    expect((await entryOf(cluster, serial)).spec.revocation).toBeUndefined()
    await clock.advance(11 * minute)
    await quiet(operator)
    await clock.advance(11 * minute)
    const list = await reported(cluster, 'with the former one', naming(serial))
    expect(list.revoked[0]?.reason).toBe('superseded')
    const now = (await getCertificate(cluster)).status?.serialNumber
    expect((await entryOf(cluster, now)).spec.revocation).toBeUndefined()
  })
})
