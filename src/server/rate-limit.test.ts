import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientOf, RateLimiter } from './rate-limit.ts'

const limiter = (total = 1000, clients = 10): RateLimiter =>
  new RateLimiter({ perClient: { perSecond: 2, burst: 3 }, total: { perSecond: total, burst: total }, clients })

describe('RateLimiter', () => {
  it('lets a burst through, then says how long to wait', () => {
    const limits = limiter()
    expect([0, 0, 0].map(() => limits.admit('a', 0))).toEqual([0, 0, 0])
    expect(limits.admit('a', 0)).toBe(500)
    expect(limits.admit('a', 400)).toBeCloseTo(100)
    expect(limits.admit('a', 500)).toBe(0)
    expect(limits.admit('a', 500)).toBe(500)
  })

  it('one client does not keep another out', () => {
    const limits = limiter()
    for (let at = 0; at < 100; at += 1) limits.admit('a', 0)
    expect(limits.admit('b', 0)).toBe(0)
  })

  it('bounds all of them together, and charges nobody for what was refused', () => {
    const limits = limiter(4)
    expect(['a', 'a', 'b', 'b'].map((client) => limits.admit(client, 0))).toEqual([0, 0, 0, 0])
    for (let at = 0; at < 50; at += 1) expect(limits.admit('c', 0)).toBe(250)
    expect([0, 0, 0].map(() => limits.admit('c', 1000))).toEqual([0, 0, 0])
  })

  it('remembers a bounded number of clients', () => {
    const limits = limiter(100_000, 10)
    for (let at = 0; at < 1000; at += 1) limits.admit(`client ${at}`, 0)
    expect(limits.size).toBe(10)
  })

  it('admits in any second no more than burst and rate allow', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { maxLength: 200 }), (gaps) => {
        const limits = limiter()
        let now = 0
        const admitted: number[] = []
        for (const gap of gaps) {
          now += gap
          if (limits.admit('a', now) === 0) admitted.push(now)
        }
        for (const from of admitted)
          expect(admitted.filter((at) => at >= from && at <= from + 1000).length).toBeLessThanOrEqual(3 + 2)
      }),
    )
  })
})

describe('clientOf', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ])('%s → %s', (address, client) => expect(clientOf(address)).toBe(client))
})
