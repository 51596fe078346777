import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import {
  allVerify,
  ask,
  counted,
  delivered,
  inPhase,
  noSoak,
  rotated,
  rotationOf,
  verifies,
} from './operator.rotation.fixture.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { isReady } from './resources/conditions.ts'
import {
  authority,
  authorityReady,
  certificate,
  emptyCluster,
  getAuthority,
  getCertificate,
  getSecret,
  put,
  quiet,
  ready,
  start,
  until,
  writesOfRest,
} from './testing.ts'

const names = ['server', 'client']

/** A cluster at rest, and no operator. */
const rested = async (around: (cluster: Cluster) => Cluster = (cluster) => cluster) => {
  const { clock, cluster } = emptyCluster()
  const first = await start(around(cluster), clock)
  await put(cluster, authority({ rotation: noSoak }))
  await authorityReady(cluster)
  await put(cluster, certificate({}, 'server'))
  await put(cluster, certificate({ role: 'Client', subject: { commonName: 'app' }, dnsNames: [] }, 'client'))
  for (const name of names) await ready(cluster, name)
  await quiet(first.operator)
  await first.stop()
  return { clock, cluster }
}

/** One CA, trusted alone, and every certificate of it. */
const isWhole = async (cluster: Cluster, now: number): Promise<void> => {
  expect(Object.keys((await getSecret(cluster, 'ca-ca')).data ?? {}).toSorted()).toEqual([
    'ca.crt',
    'tls.crt',
    'tls.key',
  ])
  const all = await Promise.all(names.map((name) => delivered(cluster, name)))
  for (const one of all) expect(certificatesOf(one.bundle)).toHaveLength(1)
  allVerify(all, now)
}

describe('an operator that dies', () => {
  it('at any write of a rotation leaves what the next one ends', async () => {
    const measured = await rested()
    const trial = await start(measured.cluster, measured.clock)
    await ask(measured.cluster, { trigger: 'one' })
    await rotated(measured.cluster, 'one')
    await until('all to be told', async () =>
      (await Promise.all(names.map((name) => getCertificate(measured.cluster, name)))).every(isReady),
    )
    await quiet(trial.operator)
    const writes = trial.writes.length
    await trial.stop()
    expect(writes).toBeGreaterThan(15)
    for (let at = 1; at <= writes; at += 1)
      for (const when of ['before', 'after'] as const) {
        const { clock, cluster } = await rested()
        const first = await start(cluster, clock)
        first.dieAt(at, when)
        await ask(cluster, { trigger: 'one' })
        await until('the end of it', async () => first.dead || (await rotationOf(cluster)).finishedAt !== undefined)
        // Whatever was delivered at that moment: the two sides trust each other.
        const [server, client] = [await delivered(cluster, 'server'), await delivered(cluster, 'client')]
        expect([at, when, verifies(server, client, clock.now()), verifies(client, server, clock.now())]).toEqual([
          at,
          when,
          true,
          true,
        ])
        await first.stop()
        const second = await start(cluster, clock)
        await rotated(cluster, 'one')
        await until('all to be Ready', async () =>
          (await Promise.all(names.map((name) => getCertificate(cluster, name)))).every(isReady),
        )
        await quiet(second.operator)
        await isWhole(cluster, clock.now())
        await second.stop()
      }
  })

  it.each(['TrustBoth', 'Signing', 'DropSoak'] as const)(
    'in %s is followed by one that goes on there',
    async (phase) => {
      const written: string[] = []
      const { clock, cluster } = await rested()
      const first = await start(counted(cluster, written), clock)
      await ask(cluster, { trigger: 'one', holdAt: phase })
      await inPhase(cluster, phase)
      await quiet(first.operator)
      await first.stop()
      const second = await start(counted(cluster, written), clock)
      await ask(cluster, { holdAt: '' })
      await rotated(cluster, 'one')
      await quiet(second.operator)
      await isWhole(cluster, clock.now())
      for (const name of names) expect(written.filter((one) => one === `${name}-tls`)).toHaveLength(3)
      expect(await writesOfRest(Object.assign(second, { clock, cluster }))).toEqual([])
    },
  )
})

describe('two operators that both think they lead', () => {
  it('end one rotation together', async () => {
    const { clock, cluster } = await rested()
    const both = [await start(cluster, clock), await start(cluster, clock)]
    const before = (await getAuthority(cluster)).status?.certificate?.fingerprint
    await ask(cluster, { trigger: 'one' })
    const after = await rotated(cluster, 'one')
    expect(after.status?.rotation?.from).toBe(before)
    await until('all to be Ready', async () =>
      (await Promise.all(names.map((name) => getCertificate(cluster, name)))).every(isReady),
    )
    for (const { operator } of both) await quiet(operator)
    await until(
      'one CA to be trusted',
      async () => certificatesOf((await delivered(cluster, 'client')).bundle).length === 1,
    )
    await isWhole(cluster, clock.now())
  })
})
