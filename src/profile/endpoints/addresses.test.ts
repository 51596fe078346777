/** A name behind which not all can be looked at: what the others show and trust counts all the same, and what is not known is said. */
import { beforeAll, describe, expect, it } from 'vitest'
import { type Pair, serve, startTls } from '../../database/connect/testing.ts'
import { systemClock } from '../../runtime/clock.ts'
import { type Judged, judge, type Wish } from './judge.ts'
import type { Look, Visited } from './seen.ts'
import { makeExchange } from './exchange.fixture.ts'
import { lookAt, mostAddresses, type Remaining } from './look.ts'
import { localRules, Permission } from './permitted.ts'

const now: Wish['expected'][number] = { certificate: 'orders-server', serialNumber: '0B', fingerprint: 'bb' }
const wish: Wish = {
  ...{ expected: [now], managed: false, facesClients: true, engine: 'MySQL', client: 'app' },
  ...{ wasOurs: () => false, hasPresentChain: () => true },
}
const notAfter = Date.UTC(2027, 0, 1)
const silent = { problems: [], refused: false, sent: false }
const shown: Visited = {
  ...{ address: '10.0.0.7', ...silent },
  served: { serialNumber: '0B', fingerprint: 'bb', issuer: 'CN=Orders CA', notAfter, names: [], above: [] },
}
const barred: Visited = { address: '10.0.0.9', ...silent, refusal: 'loopback' }
const look = (visits: readonly Visited[], more: Partial<Look> = {}): Look => ({
  ...{ at: notAfter, tookMs: 5, visits, client: 'NotNeeded' },
  ...more,
})

describe('an endpoint of which one address may not be asked', () => {
  it('is told apart from one that may not be asked at all, by what the others show and trust', () => {
    const trust = { state: 'Refused', trusts: ['ca1'] } as const
    const judged = judge(look([shown, barred], { trust }), wish)
    expect(judged).toMatchObject({ standing: 'NotAsked', servedSerial: '0B', trustProof: 'Refused', trusts: ['ca1'] })
    expect(judged.message).toMatch(/^1 of 2 addresses, 10\.0\.0\.9: It was not asked: loopback\./)
    for (const none of [look([barred], { trust }), look([], { refusal: 'loopback', trust })]) {
      const { standing, servedSerial, trustProof, trusts } = judge(none, wish)
      expect([standing, servedSerial, trustProof, trusts]).toEqual(['NotAsked', undefined, undefined, undefined])
    }
  })

  it('is old where another one shows a former chain', () => {
    const of = (same: boolean): Judged => judge(look([shown, barred], { without: { hash: 'N', same } }), wish)
    expect(of(false).standing).toBe('Old')
    expect(of(true)).toMatchObject({ standing: 'NotAsked', verifiesUnder: 'N' })
  })
})

it('an endpoint with more addresses than are asked says so, and is not taken for one that shows a former chain', () => {
  const judged = judge(look([shown], { leftOut: 8, without: { hash: 'N', same: false } }), wish)
  expect(judged).toMatchObject({ standing: 'Serving', servedSerial: '0B' })
  expect(judged.verifiesUnder).toBeUndefined()
  expect(judged.message).toMatch(/8 of the 9 addresses behind its name are not asked: list the pods in spec\.probe/)
  expect(judged.message).not.toContain('being replaced')
})

const where = { host: 'localhost', dialect: 'plain', serverName: 'db.test' } as const
const place = { namespace: 'data', clusterDomain: 'cluster.local' }
const link = '169.254.1.1'
const one = '127.0.0.1'
const many = Array.from({ length: mostAddresses + 1 }, (_, at) => `127.0.0.${at + 1}`)

/** Servers that show this at all of the addresses, on one port. */
const everywhere = async ({ chain: cert, key }: Pair, addresses: readonly string[]) => {
  const stack = new AsyncDisposableStack()
  let port = 0
  for (const address of addresses) {
    const server = stack.use(await serve((socket) => startTls(socket, { options: { cert, key } }), address, port))
    port = server.port
  }
  return { port, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

describe('one look at a name', () => {
  let remaining: Remaining
  let roots: readonly Uint8Array[]
  let withFormer: Pair
  let withNext: Pair
  beforeAll(async () => {
    ;({ remaining, roots, withFormer, withNext } = await makeExchange())
  })

  it.each<[string, () => Pair, readonly string[], boolean]>([
    ['whose others show the chain of the next root', () => withNext, [one, link], true],
    ['whose others show that of the former one', () => withFormer, [one, link], false],
    ['of which nothing is asked', () => withNext, [link], false],
    ['with as many addresses as are asked', () => withNext, many.slice(1), true],
    ['with more, all of which that are asked show the next chain', () => withNext, many, false],
  ])('%s', async (_, pair, addresses, same) => {
    await using servers = await everywhere(
      pair(),
      addresses.filter((address) => address !== link),
    )
    const { look: seen } = await lookAt(
      { ...where, ...place, port: servers.port, roots },
      {
        ...{ clock: systemClock(), permits: new Permission(localRules), showing: undefined, remaining },
        ...{ lookup: () => Promise.resolve([...addresses]), signal: new AbortController().signal },
      },
    )
    expect(seen.without).toEqual({ hash: 'N', same })
  })
})
