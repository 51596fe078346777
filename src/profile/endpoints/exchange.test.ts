/** What is seen of servers while the root above their CA is replaced: the certificate stays, and its chain is another. */
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Pair, serve, startTls } from '../../database/connect/testing.ts'
import { parseCertificate } from '../../pki/certificates/parse.ts'
import { systemClock } from '../../runtime/clock.ts'
import { silentLogger } from '../../runtime/log.ts'
import { judge, type Wish } from './judge.ts'
import type { Look } from './seen.ts'
import { makeExchange } from './exchange.fixture.ts'
import { lookAt, type Remaining } from './look.ts'
import { localRules, Permission } from './permitted.ts'
import type { Plan } from './plan.ts'
import { EndpointWatch } from './watch.ts'

let remaining: Remaining
let roots: readonly Uint8Array[]
let withFormer: Pair
let withNext: Pair
let wish: Omit<Wish, 'wasOurs'>
beforeAll(async () => {
  ;({ remaining, roots, withFormer, withNext } = await makeExchange())
  const { fingerprint, serialNumber } = parseCertificate(withNext.der)
  wish = {
    expected: [{ certificate: 'orders-server', fingerprint, serialNumber }],
    ...{ managed: false, facesClients: true, engine: 'Redis' },
  }
})

const serving = (pair: () => Pair) =>
  serve((socket) => startTls(socket, { options: { cert: pair().chain, key: pair().key } }))
const where = { host: 'localhost', dialect: 'plain', serverName: 'db.test' } as const
const place = { namespace: 'data', clusterDomain: 'cluster.local' }

describe('one look at a server whose root is replaced', () => {
  const one = '127.0.0.1'
  it.each<[string, () => Pair, readonly string[], boolean]>([
    ['shows the chain of the next one', () => withNext, [one], true],
    ['shows that of the former one', () => withFormer, [one], false],
    ['shows that of the next one, and has an address where nobody answers', () => withNext, [one, '127.0.0.2'], false],
    ['shows that of the next one, and has no listener of the other family', () => withNext, [one, '::1'], true],
    ['is not there', () => withNext, ['127.0.0.2'], false],
  ])('%s', async (_, pair, addresses, same) => {
    await using server = await serving(pair)
    const { look } = await lookAt(
      { ...where, ...place, port: server.port, roots },
      {
        ...{ clock: systemClock(), permits: new Permission(localRules), showing: undefined, remaining },
        ...{ lookup: () => Promise.resolve([...addresses]), signal: new AbortController().signal },
      },
    )
    expect(look.without).toEqual({ hash: 'N', same })
    const said = judge(look, { ...wish, wasOurs: () => false })
    expect(said.verifiesUnder).toBe(same ? 'N' : undefined)
    // Of what was not seen nothing is said.
    expect(said.message.includes('is being replaced')).toBe(pair() === withFormer)
  })
})

describe('the watch, when a root is replaced,', () => {
  it('asks soon and often until the chain is seen, and then as before', async () => {
    let pair = withFormer
    await using server = await serving(() => pair)
    const looks: Look[] = []
    const clock = systemClock()
    const watch = new EndpointWatch({
      ...{ clock, log: silentLogger(), random: () => 0.5, permits: new Permission(localRules) },
      ...{ lookup: () => Promise.resolve(['127.0.0.1']), read: () => Promise.resolve(undefined) },
      ...{ offers: () => Promise.reject(new Error('nothing is proved')), changed: () => undefined },
      looked: (_, look) => looks.push(look),
    })
    onTestFinished(() => watch.stop())
    const endpoint = { ...where, address: `localhost:${server.port}`, port: server.port, wish }
    const plan: Plan = { ...place, intervalMs: 3_600_000, endpoints: [endpoint], leftOut: 0, client: undefined }
    const seen = (isSo: (look: Look) => boolean) =>
      expect.poll(() => looks.some(isSo), { timeout: 60_000, interval: 20 }).toBe(true)
    watch.follow('data/orders', { plan, roots })
    await seen(({ visits }) => visits[0]?.served !== undefined)
    watch.follow('data/orders', { plan, roots, remaining })
    await seen(({ without }) => without?.same === false)
    pair = withNext
    await seen(({ without }) => without?.same === true)
    // At first, when the root was replaced, and as after a renewal: no sooner than five seconds later, less what keeps servers apart.
    expect(looks).toHaveLength(3)
    const [, before, after] = looks
    expect((after?.at ?? 0) - (before?.at ?? 0)).toBeGreaterThan(4500)
    const next = watch.seen('data/orders')
    expect(next).toMatchObject([{ look: { without: { hash: 'N', same: true } } }])
  })
})
