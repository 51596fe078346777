import { describe, expect, it } from 'vitest'
import { reasons } from '../../resources/reasons.ts'
import { judge } from './judge.ts'
import type { Visited } from './seen.ts'
import { dead, look, old, visit, wish } from './seen.fixture.ts'
import { servingOf } from './serving.ts'

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
