import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { toTimestamp } from './control/schedule.ts'
import { withVerbs } from './faults.fixture.ts'
import { ask, inPhase, noSoak, rotated, rotationOf } from './operator.rotation.fixture.ts'
import type { CertificateAuthority } from './resources/certificate-authority.ts'
import {
  authority,
  authorityReady,
  certificate,
  fresh,
  getAuthority,
  pass,
  put,
  quiet,
  ready,
  until,
} from './testing.ts'

const day = 86_400_000

const begun = async (around: (cluster: Cluster) => Cluster, spec: object = {}) => {
  const running = await fresh(around)
  const { cluster, operator } = running
  await put(cluster, authority({ rotation: noSoak, ...spec }))
  await authorityReady(cluster)
  await put(cluster, certificate({}, 'server'))
  await ready(cluster, 'server')
  await quiet(operator)
  return running
}

describe('the clock of the operator', () => {
  /** The API server's clock goes on as before when the operator's jumps by `ahead`. */
  const beside = (ahead: { ms: number }) => {
    let now = (): number => 0
    const around = (cluster: Cluster): Cluster =>
      withVerbs(cluster, {
        create: (async (...args: Parameters<Cluster['create']>) => {
          const answer = await cluster.create(...args)
          if (ahead.ms === 0) return answer
          const creationTimestamp = toTimestamp(now() - ahead.ms)
          return { ...answer, metadata: { ...answer.metadata, creationTimestamp } }
        }) as Cluster['create'],
      })
    return { around, reads: (clock: () => number) => void (now = clock) }
  }

  it.each([
    // The next one, ten days younger, has not ended by then.
    ['past the end of the CA', 25 * day],
    ['past the soak', 3 * day],
  ])('that jumps %s lets no CA sign before its time', async (_, jump) => {
    const ahead = { ms: 0 }
    const server = beside(ahead)
    const spec = { duration: '30d', rotation: { trustSoak: '48h', dropSoak: '0s' } }
    const { cluster, clock, operator } = await begun(server.around, spec)
    server.reads(() => clock.now())
    await pass(clock, 10 * day)
    await quiet(operator)
    await ask(cluster, { trigger: 'one' })
    await inPhase(cluster, 'TrustBoth')
    await until('the soak', async () => (await rotationOf(cluster)).soakStartedAt !== undefined)
    const before = await getAuthority(cluster)

    clock.setNow(clock.now() + jump)
    ahead.ms = jump
    await clock.advance(13 * 3_600_000)
    await until('the clocks to be compared', async () => /clock/i.test((await rotationOf(cluster)).message ?? ''))
    await quiet(operator)
    expect((await rotationOf(cluster)).phase).toBe('TrustBoth')
    expect((await getAuthority(cluster)).status?.certificate).toEqual(before.status?.certificate)

    clock.setNow(clock.now() - jump)
    ahead.ms = 0
    await ask(cluster, { trustSoak: '1s', dropSoak: '0s' })
    for (let hours = 0; hours < 4; hours += 1) await clock.advance(3_600_000)
    await rotated(cluster, 'one')
  })
})

describe('a person who is quicker than the watch', () => {
  it.each([
    ['a hold', { holdAt: 'TrustBoth' }, 'TrustBoth'],
    ['an abort', { abort: 'no' }, 'Idle'],
  ] as const)('is heeded: %s', async (_, wish, phase) => {
    let asked = 0
    const { cluster, operator } = await begun((port) =>
      withVerbs(port, {
        list: (async (...args: Parameters<Cluster['list']>) => {
          const answer = await port.list(...args)
          const [one] = answer.items as CertificateAuthority[]
          // The moment before the new CA signs: both are trusted, and nothing is waited for any more.
          if (args[0].plural !== 'certificateauthorities' || one?.status?.rotation?.phase !== 'TrustBoth') return answer
          if (asked === 0) {
            asked += 1
            await ask(port, wish)
          }
          return port.list(...args)
        }) as Cluster['list'],
      }),
    )
    const { status } = await getAuthority(cluster)
    await ask(cluster, { trigger: 'one' })
    await until('it to have come in between', () => Promise.resolve(asked > 0))
    await inPhase(cluster, phase)
    await quiet(operator)
    expect((await rotationOf(cluster)).phase).toBe(phase)
    expect((await getAuthority(cluster)).status?.certificate).toEqual(status?.certificate)
  })
})
