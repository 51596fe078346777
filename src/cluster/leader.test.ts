import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../runtime/clock.ts'
import { silentLogger } from '../runtime/log.ts'
import { ManualClock } from '../runtime/manual-clock.ts'
import type { Lease } from './kinds.ts'
import { LeaderElector } from './leader.ts'
import { apiFailure, hanging, MemoryCluster } from './memory-cluster.ts'

const candidate = (cluster: MemoryCluster, clock: Clock, identity: string) => {
  const told: string[] = []
  const elector = new LeaderElector({
    cluster: cluster.port,
    clock,
    log: silentLogger(),
    random: () => 0,
    identity,
    namespace: 'dbtls',
    name: 'dbtls',
  })
  const start = (): void =>
    elector.start({ onStarted: () => void told.push('started'), onLost: () => void told.push('lost') })
  return { elector, told, start }
}

const leaseOf = (cluster: MemoryCluster): Lease['spec'] => {
  const lease: Lease | undefined = cluster.objects.get('dbtls/dbtls')
  return lease?.spec
}

const leading = async (identity = 'a') => {
  const cluster = new MemoryCluster()
  const clock = new ManualClock()
  const leader = candidate(cluster, clock, identity)
  leader.start()
  await clock.advance(0)
  expect(leader.told).toEqual(['started'])
  return { cluster, clock, ...leader }
}

describe('taking the Lease', () => {
  test('creates it and renews it every two seconds with one write', async () => {
    const { cluster, clock, elector } = await leading()
    expect(leaseOf(cluster)).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 })
    cluster.calls.length = 0
    await clock.advance(10_000)
    expect(cluster.calls).toEqual(['update', 'update', 'update', 'update', 'update'])
    expect(elector.mayWrite()).toBe(true)
  })

  test('waits until the holder has not renewed for the Lease’s duration on our own clock', async () => {
    const { cluster, clock, told } = await leading()
    const other = candidate(cluster, clock, 'b')
    other.start()
    await clock.advance(60_000)
    expect([other.told, other.elector.mayWrite(), told]).toEqual([[], false, ['started']])
    expect(other.elector.holder).toBe('a')
  })

  test('does not believe the times in it', async () => {
    const cluster = new MemoryCluster()
    const clock = new ManualClock()
    const ancient = { holderIdentity: 'x', leaseDurationSeconds: 15, renewTime: '2001-01-01T00:00:00.000000Z' }
    cluster.objects.set('dbtls/dbtls', {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: 'dbtls', name: 'dbtls', resourceVersion: 'old' },
      spec: ancient,
    } as Lease)
    const { start, told } = candidate(cluster, clock, 'a')
    start()
    await clock.advance(14_000)
    expect(told).toEqual([])
    await clock.advance(4_000)
    expect(told).toEqual(['started'])
    expect(leaseOf(cluster)).toMatchObject({ holderIdentity: 'a', leaseTransitions: 1 })
  })

  test('takes over soon from one that released it', async () => {
    const { cluster, clock, elector } = await leading()
    const other = candidate(cluster, clock, 'b')
    other.start()
    await clock.advance(5_000)
    const stopped = elector.stop()
    await clock.advance(0)
    await stopped
    expect(leaseOf(cluster)).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 })
    await clock.advance(2_000)
    expect(other.told).toEqual(['started'])
  })
})

describe('losing the Lease', () => {
  test('is told once when it cannot be renewed in time; writes end with the deadline', async () => {
    const { cluster, clock, elector, told } = await leading()
    cluster.before = () => Promise.reject(apiFailure(500, 'InternalError'))
    await clock.advance(9_000)
    expect([elector.mayWrite(), told]).toEqual([true, ['started']])
    await clock.advance(1_001)
    expect(elector.mayWrite()).toBe(false)
    await clock.advance(10_000)
    expect([elector.isLeading, told]).toEqual([false, ['started', 'lost']])
  })

  test('survives a server that stalls for a while', async () => {
    const { cluster, clock, told, elector } = await leading()
    cluster.before = (_, signal) => hanging(signal)
    await clock.advance(6_000)
    cluster.before = () => undefined
    await clock.advance(6_000)
    expect([told, elector.mayWrite()]).toEqual([['started'], true])
  })

  test('does not wait for a request that never ends', async () => {
    const { cluster, clock, told } = await leading()
    cluster.before = (_, signal) => hanging(signal)
    await clock.advance(12_500)
    expect(told).toEqual(['started', 'lost'])
  })

  test('of a process that was stopped for 20 s: it neither writes nor renews when it goes on', async () => {
    const { cluster, clock, elector, told } = await leading()
    cluster.calls.length = 0
    clock.advanceSync(20_000)
    expect(elector.mayWrite()).toBe(false)
    await clock.advance(0)
    expect([cluster.calls, told]).toEqual([[], ['started', 'lost']])
  })

  test('to another holder is noticed at the next renewal', async () => {
    const { cluster, clock, told } = await leading()
    const stolen = cluster.objects.get('dbtls/dbtls') as Lease
    const metadata = { ...stolen.metadata, resourceVersion: '99' }
    cluster.objects.set('dbtls/dbtls', { ...stolen, metadata, spec: { ...stolen.spec, holderIdentity: 'b' } } as Lease)
    await clock.advance(2_000)
    expect(told).toEqual(['started', 'lost'])
  })

  test('by deletion is repaired', async () => {
    const { cluster, clock, told } = await leading()
    cluster.objects.clear()
    await clock.advance(2_000)
    expect([leaseOf(cluster)?.holderIdentity, told]).toEqual(['a', ['started']])
  })

  test('is not told after a stop', async () => {
    const { clock, elector, told } = await leading()
    const stopped = elector.stop()
    await clock.advance(0)
    await stopped
    expect([told, elector.mayWrite()]).toEqual([['started'], false])
  })
})

test('times that cannot work are refused', () => {
  const options = {
    cluster: new MemoryCluster().port,
    clock: new ManualClock(),
    log: silentLogger(),
    random: () => 0,
    identity: 'a',
    namespace: 'n',
    name: 'n',
  }
  expect(() => new LeaderElector({ ...options, renewDeadlineMs: 15_000 })).toThrow(RangeError)
  expect(() => new LeaderElector({ ...options, retryPeriodMs: 9_000 })).toThrow(RangeError)
})

test('never may two write at the same time, whatever fails, hangs or stands still', async () => {
  const disturbance = fc.record({
    victim: fc.nat(2),
    kind: fc.constantFrom('fail', 'hang', 'pause', 'heal', 'heal'),
    forMs: fc.integer({ min: 100, max: 25_000 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(disturbance, { minLength: 1, maxLength: 15, size: 'max' }), async (disturbances) => {
      const cluster = new MemoryCluster()
      const clocks = [new ManualClock(), new ManualClock(), new ManualClock()]
      const modes = ['heal', 'heal', 'heal']
      const candidates = clocks.map((clock, i) => {
        const own = new MemoryCluster()
        Object.assign(own, { objects: cluster.objects })
        own.before = (_, signal) => {
          if (modes[i] === 'hang') return hanging(signal)
          if (modes[i] === 'fail') throw apiFailure(503, 'ServiceUnavailable')
        }
        // resourceVersions must be one line for all: every write goes through the shared store.
        const port = { ...own.port, ...sharedWrites(cluster, own) }
        return candidate({ port } as unknown as MemoryCluster, clock, `c${i}`)
      })
      for (const { start } of candidates) start()
      for (const { victim, kind, forMs } of disturbances) {
        modes[victim] = kind
        for (let passed = 0; passed < forMs; passed += 250) {
          for (const [i, clock] of clocks.entries()) if (!(kind === 'pause' && i === victim)) await clock.advance(250)
          // A paused process does not act; its clock has moved when it goes on.
          const writers = candidates.filter(
            ({ elector }, i) => !(kind === 'pause' && i === victim) && elector.mayWrite(),
          )
          expect(writers.length).toBeLessThanOrEqual(1)
        }
        if (kind === 'pause') clocks[victim]?.advanceSync(Math.ceil(forMs / 250) * 250)
        expect(candidates.filter(({ elector }) => elector.mayWrite()).length).toBeLessThanOrEqual(1)
      }
    }),
    { numRuns: 25 },
  )
}, 30_000)

/** `own`'s faults in front of the objects and versions of `cluster`. */
const sharedWrites = (cluster: MemoryCluster, own: MemoryCluster) => {
  const shared = cluster.port
  return {
    create: async (...args: Parameters<typeof shared.create>) => {
      await own.before('create', args[2].signal)
      return shared.create(...args)
    },
    update: async (...args: Parameters<typeof shared.update>) => {
      await own.before('update', args[2].signal)
      return shared.update(...args)
    },
  }
}
