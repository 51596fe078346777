import { describe, expect, it } from 'vitest'
import type { Caches } from '../control/context.ts'
import { toTimestamp } from '../control/schedule.ts'
import type { Reply } from '../server/http.ts'
import { overviewHandler } from './handler.ts'
import { overviewPage } from './page.ts'
import { viewOf, type World } from './view.ts'

const day = 86_400_000
const now = Date.parse('2027-01-01T00:00:00Z')
const ready = [{ type: 'Ready', status: 'True', reason: 'R', message: 'Fine.' }]
const authority = (rotation?: object, spec: object = {}) => ({
  metadata: { name: 'orders-ca', namespace: 'data' },
  spec: { rotation: spec },
  status: { conditions: ready, rotation },
})
const shown = (world: object): string =>
  overviewPage(viewOf({ authorities: [], certificates: [], profiles: [], now, ...world }))
    .replace(/<style>[^]*<\/style>/, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')

describe('the page', () => {
  it('has something to say of nothing', () => {
    const text = shown({})
    for (const part of [
      '0 authorities',
      'None is under way.',
      'There is none.',
      'There is no profile.',
      'As of 2027-01-01 00:00:00 UTC',
    ])
      expect(text).toContain(part)
    expect(text).not.toContain('replica')
  })

  it.each([
    [true, 'This replica leads.'],
    [false, 'This replica stands by'],
  ])('says which replica it is of: %s', (leads, sentence) => expect(shown({ leads })).toContain(sentence))

  it('shows the stages of a rotation, and what is waited for', () => {
    const rotation = {
      ...{
        phase: 'TrustBoth',
        trigger: '1',
        startedAt: '2026-12-31T00:00:00Z',
        phaseStartedAt: '2026-12-31T12:00:00Z',
      },
      ...{ soakStartedAt: '2026-12-31T23:00:00Z', pending: { consumers: 2, certificates: 0 }, message: 'All is well.' },
    }
    const text = shown({ authorities: [authority(rotation, { trigger: '2', holdAt: 'TrustBoth', trustSoak: '2h' })] })
    for (const part of [
      'data/orders-ca',
      '1. Prepared (done)',
      '2. TrustBoth (now)',
      '3. Signing (to come)',
      'In this phase since 2026-12-31 12:00:00 UTC (12 hours ago)',
      '2 consumers without the trust bundle; a soak until 2027-01-01 01:00:00 UTC (in 60 minutes)',
      'dbtls rotate data/orders-ca --release',
      'Another rotation begins when this one has ended.',
      'All is well.',
    ])
      expect(text).toContain(part)
  })

  it('shows one that was asked for and has not begun, with what keeps it', () => {
    const text = shown({
      authorities: [authority({ phase: 'Idle', message: 'No rotation is begun: why.' }, { trigger: '1' })],
    })
    expect(text).toContain('Asked for, and not begun yet. No rotation is begun: why.')
  })

  it('tells what servers do not serve', () => {
    const serving = { type: 'Serving', status: 'False', reason: 'OldCertificateServed', message: 'It still serves 0A.' }
    const profile = {
      metadata: { name: 'orders', namespace: 'data' },
      status: { conditions: [serving], endpoints: [{}, {}] },
    }
    expect(shown({ profiles: [profile] })).toContain('2 servers are asked. data/orders : It still serves 0A.')
    const good = { ...profile, status: { conditions: [{ ...serving, status: 'True' }], endpoints: [{}] } }
    expect(shown({ profiles: [good] })).toContain('1 server is asked, and each serves what it should.')
  })

  it('has the text of others as text', () => {
    const hostile = `<script>alert(1)</script>"'\u202e`
    const certificate = {
      metadata: { name: 'a', namespace: 'data' },
      status: { conditions: [{ ...ready[0], status: 'False', message: hostile }], notAfter: toTimestamp(now + day) },
    }
    const html = overviewPage(
      viewOf({
        ...{
          authorities: [authority({ phase: 'Signing', message: hostile })],
          certificates: [certificate],
          profiles: [],
          now,
        },
      } as unknown as World),
    )
    expect(html).not.toContain('<script')
    expect(html.match(/&lt;script&gt;alert\(1\)&lt;\/script&gt;&quot;&#39;\\u202e/g)).toHaveLength(2)
  })

  it('stays small however much there is', () => {
    const page = (count: number): number => {
      const certificates = Array.from({ length: count }, (_, at) => ({
        metadata: { name: `certificate-${at}`, namespace: 'data' },
        status: { conditions: ready, notBefore: toTimestamp(now), notAfter: toTimestamp(now + (at % 900) * day) },
      }))
      const authorities = Array.from({ length: count }, () =>
        authority({ phase: 'Signing', message: 'x'.repeat(4096) }),
      )
      return overviewPage(viewOf({ authorities, certificates, profiles: [], now } as unknown as World)).length
    }
    expect(page(10_000)).toBeLessThan(page(100) + 1000)
    expect(page(10_000)).toBeLessThan(300_000)
  })
})

describe('what answers for it', () => {
  const cache = (values: unknown[], hasSynced = true) => ({ hasSynced, store: { values: () => values } })
  const caches = (hasSynced = true) =>
    ({ authorities: cache([], hasSynced), certificates: cache([]), profiles: cache([]) }) as unknown as Caches
  const request = {} as Parameters<ReturnType<typeof overviewHandler>>[1]

  it('is at the root alone', async () => {
    const handler = overviewHandler({ caches: caches(), now: () => now })
    const reply = (await handler('/', request)) as Reply
    expect(reply).toMatchObject({ status: 200, contentType: 'text/html; charset=utf-8' })
    expect(reply.headers?.['content-security-policy']).toContain("default-src 'none'; style-src 'sha256-")
    expect(await handler('/secrets', request)).toBeUndefined()
  })

  it('waits for the caches', async () => {
    expect(await overviewHandler({ caches: caches(false), now: () => now })('/', request)).toMatchObject({
      status: 503,
    })
  })

  it('goes through the caches once a second, however often it is asked', async () => {
    let [passes, at] = [0, now]
    const counted = { hasSynced: true, store: { values: () => ((passes += 1), []) } }
    const handler = overviewHandler({
      caches: { ...caches(), certificates: counted } as unknown as Caches,
      now: () => at,
    })
    for (let asked = 0; asked < 10; asked += 1) await handler('/', request)
    expect(passes).toBe(1)
    at += 1001
    await handler('/', request)
    expect(passes).toBe(2)
    // A clock that was set back must not keep an old page for as long.
    at -= day
    await handler('/', request)
    expect(passes).toBe(3)
  })
})
