import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FaultReason } from '../../database/connect/fault.ts'
import { judge, type Wish } from './judge.ts'
import type { Look, Visited } from './seen.ts'
import { dead, look, notAfter, now, old, served, visit, wish } from './seen.fixture.ts'

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
  it('tells the first names and the first certificates above, as plain text', () => {
    const many = Array.from({ length: 40 }, (_, index) => `DNS:${index === 0 ? 'a\n\u0000é'.padEnd(5000, 'x') : index}`)
    const above = Array.from({ length: 40 }, (_, index) => `f${index}`)
    const judged = judge(look([visit({ served: { ...served, names: many, above } })]), wish())
    expect(judged.names?.[0]).toMatch(/^DNS:a[?]x{254}…$/)
    expect(judged.names?.slice(1)).toEqual(many.slice(1, 8))
    expect(judged.above).toEqual(['f0', 'f1', 'f2', 'f3'])
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
