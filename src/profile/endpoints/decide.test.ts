import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FaultReason } from '../../database/connect/fault.ts'
import { reasons } from '../../resources/reasons.ts'
import {
  answered,
  type Expected,
  judge,
  type Look,
  servingOf,
  untilNextLook,
  type Visited,
  type Wish,
} from './decide.ts'

const at = Date.UTC(2026, 10, 21, 18)
const notAfter = Date.UTC(2027, 0, 1)
const now: Expected = { certificate: 'orders-server', serialNumber: '0B', fingerprint: 'bb', since: at }
const served = { serialNumber: '0B', fingerprint: 'bb', issuer: 'CN=Orders CA', notAfter }
const old = { ...served, serialNumber: '0A', fingerprint: 'aa' }
const wish = (more: Partial<Wish> = {}): Wish => ({
  ...{ expected: [now], managed: false, facesClients: true, engine: 'MySQL', client: 'app' },
  wasOurs: (serial) => serial === '0A',
  ...more,
})
const visit = (more: Partial<Visited> = {}): Visited => ({
  ...{ address: '10.0.0.7', problems: [], refused: false, sent: false, served },
  ...more,
})
const dead = (fault: FaultReason, address = '10.0.0.7'): Visited => ({
  ...{ address, fault, problems: [], refused: false, sent: false },
})
const look = (visits: readonly Visited[], more: Partial<Look> = {}): Look => ({
  ...{ at, tookMs: 5, visits, client: 'NotNeeded' },
  ...more,
})

describe('what is said of an endpoint', () => {
  const wantsOne = { requested: true, refused: true, sent: false }
  it.each<[string, Look, Partial<Wish>, string, string]>([
    [
      'serves the current one',
      look([visit()]),
      {},
      'Serving',
      'It serves the current certificate of orders-server, valid until 2027-01-01T00:00:00Z.',
    ],
    [
      'serves one of several current ones',
      look([visit()]),
      { expected: [{ ...now, fingerprint: 'cc' }, now] },
      'Serving',
      'It serves the current',
    ],
    [
      'was issued nothing yet',
      look([visit()]),
      { expected: [] },
      'Serving',
      'It serves a certificate that verifies, valid until',
    ],
    [
      'is managed',
      look([visit()]),
      { expected: [], managed: true },
      'Serving',
      'It serves a certificate that verifies',
    ],
    [
      'serves the old one',
      look([visit({ served: old })]),
      {},
      'Old',
      'It still serves 0A and not 0B, which is in Secret of orders-server since 2026-11-21T18:00:00Z: it has not loaded it.',
    ],
    [
      'serves the old one, nobody knows since when',
      look([visit({ served: old })]),
      { expected: [{ ...now, since: undefined } as never] },
      'Old',
      'which is in Secret of orders-server: it has',
    ],
    [
      'serves another one',
      look([visit({ served: { ...old, serialNumber: '99' } })]),
      {},
      'Other',
      'It serves 99, signed by "CN=Orders CA", and not 0B of this profile',
    ],
    [
      'serves what clients refuse',
      look([visit({ problems: ['it is not for db but for DNS:x', 'it, or a CA above it, has expired'] })]),
      {},
      'NotVerified',
      'Clients refuse what it serves (0B): it is not for db but for DNS:x; it, or a CA above it, has expired.',
    ],
    ['is old and expired', look([visit({ served: old, problems: ['expired'] })]), {}, 'Old', 'It still serves 0A'],
    ['shows nothing', look([{ ...visit(), served: undefined } as never]), {}, 'NoTLS', 'It shows no certificate'],
    [
      'refuses our client',
      look([visit({ requested: true, refused: true, sent: true })]),
      {},
      'ClientRefused',
      'It refuses the certificate of client app: it has not loaded the CA',
    ],
    [
      'refuses our client among peers',
      look([visit({ requested: true, refused: true, sent: true })]),
      { facesClients: false },
      'Serving',
      'It takes only certificates of its own kind.',
    ],
    [
      'wants a client, and there is none',
      look([visit(wantsOne)], { client: 'None' }),
      {},
      'Serving',
      'It wants a client certificate, and the profile has none to show: list a client in spec.clients',
    ],
    [
      'wants a client, whose Secret is unreadable',
      look([visit(wantsOne)], { client: 'Unreadable' }),
      {},
      'Serving',
      'and the Secret of the client could not be read.',
    ],
    ['wants none', look([visit({ requested: false })]), {}, 'Serving', 'It asks clients for no certificate.'],
    [
      'takes anybody',
      look([visit({ requested: true })], { trust: { state: 'Anybody' } }),
      {},
      'Serving',
      'It verifies no client certificate',
    ],
    [
      'has a name that is not asked',
      look([], { refusal: 'it is of namespace x' }),
      {},
      'NotAsked',
      'It was not asked: it is of namespace x.',
    ],
    [
      'has an address that is not asked',
      look([{ ...dead('Closed'), fault: undefined, refusal: 'loopback' } as never]),
      {},
      'NotAsked',
      'It was not asked: loopback.',
    ],
    ['has an unknown name', look([], { nameFault: 'NameNotFound' }), {}, 'Unreachable', 'Its name leads nowhere'],
  ])('that %s', (_, seen, more, standing, message) => {
    const judged = judge(seen, wish(more))
    expect(judged.standing).toBe(standing)
    expect(judged.message).toContain(message)
  })

  it.each<[FaultReason, string, string]>([
    ['ConnectFailed', 'Unreachable', 'nobody listens there'],
    ['NoAnswer', 'Unreachable', 'does not answer in time'],
    ['Closed', 'Unreachable', 'hung up'],
    ['Busy', 'Unreachable', 'full, starting or stopping'],
    ['Blocked', 'Unreachable', 'turns'],
    ['ServerError', 'Unreachable', 'error instead of TLS'],
    ['TLSOff', 'NoTLS', 'TLS switched off'],
    ['WrongProtocol', 'NoTLS', 'speaks no TLS, or not as MySQL does'],
    ['HandshakeFailed', 'NoTLS', 'no protocol version or cipher suite in common'],
  ])('that fails with %s', (fault, standing, words) => {
    const judged = judge(look([dead(fault)]), wish())
    expect(judged).toMatchObject({ standing, message: expect.stringContaining(words) })
    expect(judged.servedSerial).toBeUndefined()
  })
  it('does not change between a look-up that says no and one that says nothing', () => {
    const [no, nothing] = (['NameNotFound', 'NoAnswer'] as const).map((nameFault) =>
      judge(look([], { nameFault }), wish()),
    )
    expect(no).toEqual(nothing)
  })
  it('tells the worst of several addresses, and what of them is served', () => {
    const judged = judge(
      look([visit(), visit({ address: '10.0.0.8', served: old }), dead('ConnectFailed', '10.0.0.9')]),
      wish(),
    )
    expect(judged).toMatchObject({ standing: 'Old', servedSerial: '0A', notAfter })
    expect(judged.message).toMatch(/^2 of 3 addresses, 10\.0\.0\.8: It still serves 0A/)
  })
  describe('while a CA above its certificate is replaced', () => {
    const hanging = { without: { hash: 'N', same: false } }
    const says = (visits: readonly Visited[], more: Partial<Wish> = {}) => judge(look(visits, hanging), wish(more))
    it('is old where the chain is the former one, once the other was delivered', () => {
      const judged = says([visit()], { hasPresentChain: () => true })
      expect(judged).toMatchObject({ standing: 'Old', servedSerial: '0B' })
      expect(judged.message).toMatch(/certificate of orders-server with the chain of the former CA.*Let it reload/)
      expect(judged.verifiesUnder).toBeUndefined()
      expect(
        judge(look([visit()], { without: { hash: 'N', same: true } }), wish({ hasPresentChain: () => true })),
      ).toMatchObject({ standing: 'Serving', verifiesUnder: 'N' })
    })
    it('asks what was delivered only where the chain is the former one', () => {
      const hasPresentChain = () => {
        throw new Error('asked')
      }
      const calm = [look([visit()]), look([visit()], { without: { hash: 'N', same: true } })]
      for (const one of calm) expect(judge(one, wish({ hasPresentChain })).standing).toBe('Serving')
      expect(() => says([visit()], { hasPresentChain })).toThrow('asked')
    })
    it.each<[string, readonly Visited[], Partial<Wish>, string]>([
      ['the other was not delivered yet', [visit()], { hasPresentChain: () => false }, 'Serving'],
      ['it shows a former certificate', [visit({ served: old })], {}, 'Old'],
      [
        'it shows the certificate of others',
        [visit()],
        { expected: [{ ...now, fingerprint: 'cc' }], wasOurs: () => false },
        'Other',
      ],
    ])('says what it hangs on where %s', (_, visits, more, standing) => {
      const judged = says(visits, more)
      expect(judged).toMatchObject({
        standing,
        message: expect.stringContaining('hangs on a CA that is being replaced'),
      })
    })
  })
  it('passes over the family of addresses where nobody listens', () => {
    const both = [dead('ConnectFailed', '::1'), visit()]
    expect(judge(look(both), wish()).standing).toBe('Serving')
    expect(judge(look([dead('ConnectFailed', '::1'), dead('ConnectFailed')]), wish()).standing).toBe('Unreachable')
    expect(judge(look([...both, dead('ConnectFailed', '10.0.0.8')]), wish()).standing).toBe('Unreachable')
    expect(judge(look([dead('TLSOff', '::1'), visit()]), wish()).standing).toBe('NoTLS')
  })
  it.each<[string, Look['trust'], string | undefined, readonly string[] | undefined]>([
    ['trusts', { state: 'Trusted', trusts: ['ca1'] }, 'Proved', ['ca1']],
    ['trusts two', { state: 'Trusted', trusts: ['ca1', 'ca2'] }, 'Proved', ['ca1', 'ca2']],
    ['refuses', { state: 'Refused', trusts: [] }, 'Refused', []],
    ['takes anybody', { state: 'Anybody' }, 'Anybody', undefined],
    ['does not ask', { state: 'NotRequested' }, 'NotRequested', undefined],
    ['said nothing clear', { state: 'Unknown' }, 'Unknown', undefined],
    ['was not asked', undefined, undefined, undefined],
  ])('says whom a server trusts that %s', (_, trust, trustProof, trusts) => {
    for (const visits of [[visit()], [dead('ConnectFailed')], []]) {
      const judged = judge(look(visits, trust === undefined ? {} : { trust }), wish())
      expect([judged.trustProof, judged.trusts]).toEqual([trustProof, trusts])
    }
  })
  it('says what keeps a server from the next CA, after what it serves', () => {
    const trust = { state: 'Refused', trusts: ['ca1'], message: 'It does not trust the next CA.' } as const
    expect(judge(look([visit()], { trust }), wish()).message).toMatch(
      /^It serves .*\. It does not trust the next CA\.$/,
    )
  })
  it('stays a short line of plain text whatever a server shows', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 5000, unit: 'binary' }), fc.string({ maxLength: 5000 }), (issuer, problem) => {
        for (const one of [visit({ served: { ...old, serialNumber: '99', issuer } }), visit({ problems: [problem] })]) {
          const { message } = judge(look([one]), wish())
          expect(message.length).toBeLessThan(1500)
          expect(message).toMatch(/^[ -~…]*$/)
        }
      }),
    )
  })
})

describe('the condition Serving', () => {
  const row = (address: string, visits: readonly Visited[]) => ({ address, ...judge(look(visits), wish()) })
  const good = row('a:1', [visit()])
  const stale = row('b:1', [visit({ served: old })])
  const gone = row('c:1', [dead('ConnectFailed')])
  const plain = row('d:1', [dead('TLSOff')])
  it.each<[string, readonly ReturnType<typeof row>[], object]>([
    [
      'all is well',
      [good, good],
      { status: 'True', reason: 'Served', message: 'All 2 endpoints serve a certificate that clients take.' },
    ],
    [
      'the only one is well',
      [good],
      { status: 'True', message: 'The endpoint serves a certificate that clients take.' },
    ],
    [
      'one serves the old one',
      [good, stale],
      {
        status: 'False',
        reason: 'OldCertificateServed',
        message: expect.stringMatching(/^1 of 2 endpoints: b:1: It still serves 0A .* since 2026-11-21T18:00:00Z/),
      },
    ],
    ['one is not there', [good, gone], { status: 'Unknown', reason: 'EndpointUnreachable' }],
    [
      'one is not there and one is old',
      [gone, stale],
      { status: 'False', reason: 'OldCertificateServed', message: expect.stringMatching(/b:1: .* c:1: /) },
    ],
    ['one has no TLS', [stale, plain], { status: 'False', reason: 'TLSNotServed' }],
  ])('when %s', (_, rows, expected) => expect(servingOf(rows)).toMatchObject(expected))
  it('is not there without endpoints', () => expect(servingOf([])).toBeUndefined())
  it('tells some in full and counts the rest', () => {
    const many = Array.from({ length: 256 }, (_, index) => ({ ...stale, address: `b${index}:1` }))
    const { message = '' } = servingOf(many) ?? {}
    expect(message).toMatch(/^256 of 256 endpoints: b0:1: .* And 251 more; see status\.endpoints\.$/)
    expect(message.length).toBeLessThan(8000)
  })
  it('has a reason that is documented for everything that may be said', () => {
    for (const one of [good, stale, gone, plain]) expect(Object.keys(reasons)).toContain(servingOf([one])?.reason)
  })
})

describe('the next look', () => {
  it.each([
    [300_000, undefined, 300_000],
    [300_000, 0, 5000],
    [300_000, 20_000, 5000],
    [300_000, 90_000, 22_500],
    [300_000, 3_600_000, 300_000],
    [2000, 0, 2000],
  ])('every %i ms, %s ms after a new certificate, is in %i ms', (interval, waiting, ms) =>
    expect(untilNextLook(interval, waiting)).toBe(ms),
  )
  it('is never later than the interval, and sooner the fresher the certificate is', () => {
    fc.assert(
      fc.property(fc.nat(1e7), fc.nat(1e7), fc.nat(1e7), (interval, one, other) => {
        const [early, late] = [Math.min(one, other), Math.max(one, other)]
        expect(untilNextLook(interval, early)).toBeLessThanOrEqual(untilNextLook(interval, late))
        expect(untilNextLook(interval, late)).toBeLessThanOrEqual(interval)
      }),
    )
  })
  it('counts as dead whoever holds a socket and says nothing', () => {
    expect(answered(look([visit()]))).toBe(true)
    expect(answered(look([dead('TLSOff')]))).toBe(true)
    expect(answered(look([visit(), dead('NoAnswer')]))).toBe(false)
    expect(answered(look([dead('ConnectFailed')]))).toBe(false)
    expect(answered(look([], { nameFault: 'NoAnswer' }))).toBe(false)
    expect(answered(look([], { refusal: 'no' }))).toBe(true)
  })
})
