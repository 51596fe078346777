/** Certificates of a profile that are to have Secrets of one another, in one edit. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { withVerbs } from './faults.fixture.ts'
import { isReady } from './resources/conditions.ts'
import type { Secret } from './resources/core.ts'
import {
  authority,
  authorityReady,
  certificateNames,
  emptyCluster,
  getCertificate,
  getProfile,
  getSecret,
  leafOf,
  profile,
  profileReady,
  profileSays,
  put,
  quiet,
  start,
  text,
  until,
  withAuthority,
  writesAtRest,
} from './testing.ts'

/** Client → its Secret. */
type Places = Readonly<Record<string, string>>

const clientsOf = (places: Places) => ({
  clients: Object.entries(places).map(([name, secretName]) => ({ name, secretName })),
})

const isPair = (secret: Secret): boolean =>
  new X509Certificate(text(secret, 'tls.crt')).checkPrivateKey(createPrivateKey(text(secret, 'tls.key')))

const expectAll = async (cluster: Cluster, places: Places): Promise<void> => {
  for (const [client, secretName] of Object.entries(places)) {
    const { metadata, status } = await getCertificate(cluster, `orders-${client}`)
    const secret = await getSecret(cluster, secretName)
    expect(secret.metadata.annotations?.['dbtls.dev/owner']).toBe(`DatabaseCertificate/orders-${client}`)
    expect(secret.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual([metadata.uid])
    expect(leafOf(secret).serialNumber).toBe(status?.serialNumber)
    expect(isPair(secret), secretName).toBe(true)
  }
  expect(await certificateNames(cluster)).toEqual([...Object.keys(places), 'server'].map((name) => `orders-${name}`))
}

describe('Secrets change hands', () => {
  it.each<[string, Places, Places]>([
    ['with one who goes', { a: 's1', b: 's2' }, { a: 's2' }],
    ['with one who goes, while another comes', { a: 's1', b: 's2' }, { a: 's2', c: 's1' }],
    ['in a row, of which the last one goes', { a: 's1', b: 's2', c: 's3' }, { a: 's2', b: 's3' }],
    ['in a ring with one who goes for one who comes', { a: 's1', b: 's2', c: 's3' }, { a: 's2', b: 's3', d: 's1' }],
    ['in a row, of which the last one has a new one', { a: 's1', b: 's2' }, { a: 's2', b: 's3', c: 's1' }],
    ['in two rings at once', { a: 's1', b: 's2', c: 's3', d: 's4' }, { a: 's2', b: 's1', c: 's4', d: 's3' }],
  ])('%s', async (_, from, to) => {
    const { cluster, operator } = await withAuthority()
    await put(cluster, profile(clientsOf(from)))
    await profileReady(cluster)
    await quiet(operator)
    await put(cluster, profile(clientsOf(to)))
    await until('the profile to follow', async () => isReady(await getProfile(cluster)))
    await quiet(operator)
    await expectAll(cluster, to)
  })

  it('never where the type of one is not that of the other, which Kubernetes changes for nobody', async () => {
    const { cluster, operator } = await withAuthority()
    const spec = (server: string, client: string) => ({
      engine: 'Cassandra',
      layout: { preset: 'K8ssandra' },
      server: { secretName: server },
      clients: [{ name: 'app', secretName: client }],
    })
    await put(cluster, profile(spec('one', 'two')))
    await profileReady(cluster)
    await quiet(operator)
    await put(cluster, profile(spec('two', 'one')))
    const { message } = await profileSays(cluster, 'SecretInTheWay')
    expect(message).toContain('is of type Opaque for DatabaseCertificate "orders-server"')
    expect(message).toContain('Choose another secretName')
    await quiet(operator)
    for (const [name, secret] of Object.entries({ 'orders-server': 'one', 'orders-app': 'two' })) {
      const { spec: stays } = await getCertificate(cluster, name)
      expect(stays.secret.name, 'one that moved would be renewed no more').toBe(secret)
    }
  })

  const moments = Array.from({ length: 10 }, (_, at) => at + 1).flatMap((at) => [
    { at, when: 'before' as const },
    { at, when: 'after' as const },
  ])
  it.each(moments)(
    'while the process dies: write $at, dead $when it reached the server, with no Secret ever half of one and half of the other',
    async ({ at, when }) => {
      const { clock, cluster } = emptyCluster()
      const broken: string[] = []
      const apply = (async (...args: Parameters<Cluster['apply']>) => {
        const written = await cluster.apply(...args)
        if (args[0].plural === 'secrets' && /^s\d$/.test(args[1].metadata.name))
          if (!isPair(written)) broken.push(args[1].metadata.name)
        return written
      }) as Cluster['apply']
      const port = withVerbs(cluster, { apply })
      const before = await start(port, clock)
      await put(cluster, authority())
      await authorityReady(cluster)
      await put(cluster, profile(clientsOf({ a: 's1', b: 's2' })))
      await profileReady(cluster)
      await clock.advance(5_000)
      await quiet(before.operator)
      await before.stop()
      const dying = await start(port, clock)
      dying.dieAt(at, when)
      await put(cluster, profile(clientsOf({ a: 's2', b: 's1' })))
      await until('it to die or to be done', async () => dying.dead || isReady(await getProfile(cluster)))
      await dying.stop()
      const heir = await start(port, clock)
      await until('the profile to be Ready', async () => isReady(await getProfile(cluster)))
      await clock.advance(5_000)
      await quiet(heir.operator)
      await expectAll(cluster, { a: 's2', b: 's1' })
      expect(broken).toEqual([])
      const writes = await writesAtRest({ clock, ...heir })
      expect(writes.filter(({ plural }) => plural !== 'issuedcertificates')).toEqual([])
    },
  )
})
