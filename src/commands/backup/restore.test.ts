import { describe, expect, it } from 'vitest'
import type { Cluster } from '../../cluster/port.ts'
import { decodePem } from '../../pki/encoding/pem.ts'
import { parseRevocationList } from '../../pki/revocation/revocation-list.ts'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { configMaps, secrets } from '../../resources/core.ts'
import { databaseCertificates } from '../../resources/database-certificate.ts'
import { issuedCertificates } from '../../resources/issued-certificate.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import {
  certificate,
  day,
  getCertificate,
  namespace,
  newCluster,
  pass,
  put,
  quiet,
  start,
  until,
} from '../../testing.ts'
import { backedUp, lived, restored, settled, stalledOnes, substanceOf } from './world.fixture.ts'

const hour = 3_600_000

const listOf = async (cluster: Cluster, name: string) => {
  const map = await cluster.get(configMaps, { namespace, name: `${name}-crl` })
  return parseRevocationList(decodePem(map.data?.['ca.crl'] ?? '')[0]?.der ?? new Uint8Array())
}
const annotationsOf = async (cluster: Cluster) =>
  (await cluster.list(certificateAuthorities)).items.map(({ metadata }) => metadata.annotations)

const empty = (after: ManualClock, ms: number) => {
  const clock = new ManualClock(after.now() + ms)
  return { clock, cluster: newCluster(clock) }
}

describe('a restore into an empty cluster', { timeout: 120_000 }, () => {
  it.each([
    { name: 'an operator at work', running: true },
    { name: 'an operator that comes later', running: false },
  ])('re-issues nothing, with $name', async ({ running }) => {
    const old = await lived()
    const contents = await backedUp(old.cluster, old.clock)
    const before = await substanceOf(old.cluster)
    const lists = await Promise.all(['root', 'ca', 'corp'].map((name) => listOf(old.cluster, name)))
    await old.stop()

    const { clock, cluster } = empty(old.clock, hour)
    const early = running ? await start(cluster, clock) : undefined
    const { code, out, err } = await restored(cluster, clock, contents)
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(
      /^restored {3}5 CertificateAuthorities, \d+ ledger entries, 13 DatabaseCertificates, \d+ Secrets/,
    )
    const operator = early ?? (await start(cluster, clock))
    await settled(operator, cluster, clock)

    expect(await substanceOf(cluster)).toEqual(before)
    expect(operator.writes.filter(({ plural }) => plural === 'secrets')).toEqual([])
    expect(
      operator.events.map(({ reason }) => reason).filter((one) => ['Issued', 'Created', 'Renewed'].includes(one)),
    ).toEqual([])
    for (const [at, name] of ['root', 'ca', 'corp'].entries()) {
      const list = await listOf(cluster, name)
      expect(list.number).toBeGreaterThanOrEqual(BigInt(Math.floor(old.clock.now() / 1000)))
      expect(list.revoked).toEqual(lists[at]?.revoked)
    }
    for (const name of stalledOnes) {
      const [then, now] = [await getCertificate(old.cluster, name), await getCertificate(cluster, name)]
      expect(now.status?.conditions?.map(({ reason }) => reason)).toEqual(
        then.status?.conditions?.map(({ reason }) => reason),
      )
    }
    for (const annotations of await annotationsOf(cluster))
      expect(annotations).toEqual({ 'dbtls.dev/restored-from': contents.id })
    const trust = await cluster.get(configMaps, { namespace, name: 'trust' })
    expect(trust.data?.['ca.crt']).toBe(
      (await old.cluster.get(configMaps, { namespace, name: 'trust' })).data?.['ca.crt'],
    )
    await operator.stop()
  })

  it('lets everything go on: renewals, the kept request, revocation on deletion', async () => {
    const old = await lived()
    const contents = await backedUp(old.cluster, old.clock)
    await old.stop()
    const { clock, cluster } = empty(old.clock, hour)
    await restored(cluster, clock, contents)
    const operator = await start(cluster, clock)
    await settled(operator, cluster, clock)
    const serialsOf = async () =>
      new Map(
        (await cluster.list(databaseCertificates)).items.map(({ metadata, status }) => [
          metadata.name,
          status?.serialNumber,
        ]),
      )
    const [first, number] = [await serialsOf(), (await listOf(cluster, 'ca')).number ?? 0n]
    await cluster.delete(secrets, { namespace, name: 'payments-csr' })
    await pass(clock, 65 * day)
    const renewed = await until('every renewal', async () => {
      const serials = await serialsOf()
      return [...first].every(([name, serial]) => stalledOnes.includes(name) || serials.get(name) !== serial) && serials
    })
    await quiet(operator.operator)
    const { items } = await cluster.list(issuedCertificates)
    for (const [name, serial] of renewed) {
      if (stalledOnes.includes(name)) continue
      const entry = items.find(({ spec }) => spec.serialNumber === serial)
      expect(entry?.spec.supersedes?.serialNumber, name).toBe(first.get(name))
    }
    await cluster.delete(databaseCertificates, { namespace, name: 'kept' })
    await until('its revocation', async () => {
      await clock.advance(30_000)
      const list = await listOf(cluster, 'ca')
      return list.revoked.some(({ serialNumber }) => serialNumber === renewed.get('kept'))
    })
    expect((await listOf(cluster, 'ca')).number).toBeGreaterThan(number)
    const owned = await cluster.get(secrets, { namespace, name: 'orders-tls' })
    expect(owned.metadata.labels?.['mine']).toBe('yes')
    expect(owned.data?.['extra']).toBe('bW9yZQ==')
    await operator.stop()
  })

  it('changes nothing when it is given again, whatever happened since', async () => {
    const old = await lived()
    const contents = await backedUp(old.cluster, old.clock)
    await old.stop()
    const { clock, cluster } = empty(old.clock, hour)
    await restored(cluster, clock, contents)
    const operator = await start(cluster, clock)
    await settled(operator, cluster, clock)
    await put(cluster, certificate({ renewTrigger: 'since' }, 'orders'))
    await cluster.delete(databaseCertificates, { namespace, name: 'made' })
    await settled(operator, cluster, clock)
    const before = await substanceOf(cluster)
    expect(await restored(cluster, clock, contents)).toEqual({
      code: 0,
      out: 'unchanged  everything was restored from this backup before\n',
      err: '',
    })
    expect(await substanceOf(cluster)).toEqual(before)
    await operator.stop()
  })
})
