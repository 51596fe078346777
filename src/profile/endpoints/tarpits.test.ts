/** Servers that take connections and let whoever asks them wait. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { serve } from '../../database/connect/testing.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { lookAt } from './look.ts'
import { localRules, Permission } from './permitted.ts'

const place = { namespace: 'data', clusterDomain: 'cluster.local' }
const permits = new Permission(localRules)

/** Lets time pass until `done` says so; sockets have their turns between. */
const pass = async (clock: ManualClock, done: () => boolean, stepMs: number): Promise<void> => {
  for (let round = 0; !done() && round < 20_000; round += 1) {
    await turn()
    if (round % 10 === 0) await clock.advance(stepMs)
  }
  expect(done()).toBe(true)
}

it('all addresses of a name together keep a look no longer than half a minute and one of them more', async () => {
  await using silent = await serve(() => undefined, '0.0.0.0')
  const clock = new ManualClock()
  const asking = { host: 'db', port: silent.port, dialect: 'plain', serverName: 'db', roots: [], ...place } as const
  const addresses = Array.from({ length: 8 }, (_, at) => `127.0.0.${at + 1}`)
  const { signal } = new AbortController()
  const looking = lookAt(asking, {
    clock,
    permits,
    showing: undefined,
    signal,
    lookup: () => Promise.resolve(addresses),
  })
  let isDone = false
  void looking.then(() => (isDone = true))
  await pass(clock, () => isDone, 500)
  const { look } = await looking
  expect(look.tookMs).toBeLessThan(37_000)
  expect(look.visits.map(({ address, fault }) => [address, fault])).toEqual(addresses.map((one) => [one, 'NoAnswer']))
  expect(silent.connections.length).toBeLessThan(addresses.length)
})
