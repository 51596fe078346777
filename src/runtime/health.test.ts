import { describe, expect, it } from 'vitest'
import { describeVerdict, Health } from './health.ts'

describe('Health', () => {
  it('is well while it has nothing to check', () => {
    expect(new Health().ready()).toEqual({ ok: true, checks: [] })
  })

  it('shows every problem, and keeps live and ready apart', () => {
    const health = new Health()
    health.addLive('leader', () => undefined)
    health.addReady('caches', () => 'the cache of Secrets is not filled yet')
    health.addReady('api', () => undefined)
    health.addReady('broken', () => {
      throw new Error('-----BEGIN something that must not be shown')
    })
    expect(health.live().ok).toBe(true)
    expect(describeVerdict(health.live())).toBe('[+]leader ok\ncheck passed\n')
    expect(health.ready().ok).toBe(false)
    expect(describeVerdict(health.ready())).toBe(
      [
        '[-]caches failed: the cache of Secrets is not filled yet',
        '[+]api ok',
        '[-]broken failed: the check itself failed',
        'check failed',
        '',
      ].join('\n'),
    )
  })

  it('asks anew each time', () => {
    const health = new Health()
    let problem: string | undefined = 'not yet'
    health.addReady('caches', () => problem)
    expect(health.ready().ok).toBe(false)
    problem = undefined
    expect(health.ready().ok).toBe(true)
  })
})
