/** A process that dies while it makes, changes or removes what a profile asks for; another one carries on. */
import { describe, expect, it } from 'vitest'
import { ifFound } from './cluster/errors.ts'
import { isReady } from './resources/conditions.ts'
import { certificateNames, entriesOf, getCertificate, getConfigMap, getProfile, getSecret, leafOf } from './testing.ts'
import { authority, authorityReady, emptyCluster, profile, put, quiet, start, until, writesAtRest } from './testing.ts'

const first = profile({ engine: 'PostgreSQL', clients: [{ name: 'app' }], clientAuthorityRef: { name: 'clients' } })
/** One client more, one less, another ConfigMap, no second CA. */
const second = profile({
  engine: 'PostgreSQL',
  clients: [{ name: 'report' }],
  topology: { services: ['orders', 'orders-ro'] },
  config: { configMapName: 'files' },
})

/** Every write of the case, and a few more that it does not come to. */
const moments = (count: number) =>
  Array.from({ length: count }, (_, at) => at + 1).flatMap((at) => [
    { at, when: 'before' as const },
    { at, when: 'after' as const },
  ])

const prepared = async () => {
  const { clock, cluster } = emptyCluster()
  const before = await start(cluster, clock)
  await put(cluster, authority())
  await put(cluster, authority({}, 'clients'))
  for (const name of ['ca', 'clients']) await authorityReady(cluster, name)
  await quiet(before.operator)
  return { clock, cluster, before }
}

describe('a process that dies at any write', () => {
  it.each(moments(16))('of a new profile: write $at, dead $when it reached the server', async ({ at, when }) => {
    const { clock, cluster, before } = await prepared()
    await before.stop()
    const dying = await start(cluster, clock)
    dying.dieAt(at, when)
    await put(cluster, first)
    await until('it to die or to be done', async () => dying.dead || isReady(await getProfile(cluster)))
    await dying.stop()
    const heir = await start(cluster, clock)
    await until('the profile to be Ready', async () => isReady(await getProfile(cluster)))
    await clock.advance(5_000)
    await quiet(heir.operator)
    expect(await certificateNames(cluster)).toEqual(['orders-app', 'orders-server'])
    for (const name of ['orders-tls-config', 'orders-client-ca', 'orders-server-ca'])
      expect(await ifFound(getConfigMap(cluster, name)), name).toBeDefined()
    const { status } = await getProfile(cluster)
    for (const { name, secretName = '', serialNumber } of status?.certificates ?? [])
      expect(leafOf(await getSecret(cluster, secretName)).serialNumber, name).toBe(serialNumber)
    // Each may have been between ledger and Secret, and is issued once more then.
    const issued = [...(await entriesOf(cluster, 'orders-app')), ...(await entriesOf(cluster, 'orders-server'))]
    expect(issued.length).toBeLessThanOrEqual(4)
    expect((await writesAtRest({ clock, ...heir })).filter(({ plural }) => plural !== 'issuedcertificates')).toEqual([])
  })

  it.each(moments(14))('of a changed profile: write $at, dead $when it reached the server', async ({ at, when }) => {
    const { clock, cluster, before } = await prepared()
    await put(cluster, first)
    await until('the profile to be Ready', async () => isReady(await getProfile(cluster)))
    await clock.advance(5_000)
    await quiet(before.operator)
    await before.stop()
    const dying = await start(cluster, clock)
    dying.dieAt(at, when)
    await put(cluster, second)
    await until('it to die or to be done', async () => dying.dead || isReady(await getProfile(cluster)))
    await dying.stop()
    const heir = await start(cluster, clock)
    await until('the profile to be Ready', async () => isReady(await getProfile(cluster)))
    await until('what is wanted no longer to go', async () => {
      const names = ['orders-tls-config', 'orders-client-ca', 'orders-server-ca']
      const left = await Promise.all(names.map((name) => ifFound(getConfigMap(cluster, name))))
      return left.every((one) => one === undefined)
    })
    await clock.advance(5_000)
    await quiet(heir.operator)
    expect(await certificateNames(cluster)).toEqual(['orders-report', 'orders-server'])
    expect((await getCertificate(cluster, 'orders-server')).spec.dnsNames).toContain('orders-ro.data.svc')
    expect((await getConfigMap(cluster, 'files')).data?.['pg_hba.conf']).toContain('report')
    expect((await writesAtRest({ clock, ...heir })).filter(({ plural }) => plural !== 'issuedcertificates')).toEqual([])
  })
})
