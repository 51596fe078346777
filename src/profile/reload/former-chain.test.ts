/** Below a root that is replaced the certificate stays, and its chain is another: who shows the former one is told to read its files. */
import { describe, expect, it } from 'vitest'
import { stubContext } from '../../control/testing.ts'
import type { Workload } from '../../resources/workloads.ts'
import type { ProfileView } from '../collaborators.ts'
import { arrivalMs } from './decide.ts'
import type { ReloadPlan } from './plan.ts'
import { planOf } from './plan.ts'
import { Restarts } from './restarts.ts'
import { key, sql, told, world } from './testing.ts'

describe('a server that shows its certificate with the chain of a former CA', () => {
  const inTrouble = () => {
    const running = world(sql)
    const { reloads, deliver, answers } = running
    answers(() => ({ served: 'A', told: true, lost: false }))
    return { ...running, look: (...former: boolean[]) => reloads.look(deliver('A'), running.chained(...former)) }
  }

  it('is told, and no other, and again with growing delays', async () => {
    const { look, run, queued, visits, clock, logins } = inTrouble()
    look(false, false)
    await run()
    expect(visits).toEqual([])
    const { notes, facts } = look(true, false)
    expect(notes.join()).toContain('It shows A with the chain of a former CA, and is told to read its files again.')
    expect(facts.reload?.pending).toMatchObject([{ name: 'db-0.db.data.svc.cluster.local:3306', reason: 'Waiting' }])
    expect(queued).toEqual([key])
    const times: number[] = []
    for (let second = 0; second < 40; second += 1) {
      const before = told(visits).length
      await run()
      if (told(visits).length > before) times.push(second)
      clock.setNow(clock.now() + 1000)
    }
    expect(times).toEqual([0, 5, 15, 35])
    expect(new Set(told(visits))).toEqual(new Set(['db-0.db.data.svc.cluster.local:3306']))
    expect(
      visits.every(({ tell }) => tell?.always),
      'though it shows the certificate that was delivered',
    ).toBe(true)
    expect(logins, 'it is looked at after that').toHaveLength(4)
  })

  it('is left alone when it shows the present one', async () => {
    const { look, run, visits, clock } = inTrouble()
    look(true, false)
    await run()
    const { facts, findings, notes } = look(false, false)
    expect([findings, notes, facts.reload?.pending]).toEqual([[], [], undefined])
    clock.setNow(clock.now() + 3_600_000)
    await run()
    expect(told(visits)).toHaveLength(1)
  })

  it('is named when its files must have come', async () => {
    const { look, run, clock } = inTrouble()
    look(true, true)
    await run()
    expect(look(true, true).findings).toEqual([])
    clock.setNow(clock.now() + arrivalMs)
    await run()
    const { findings } = look(true, true)
    expect(findings).toMatchObject([{ reason: 'ReloadFailed', message: expect.stringContaining('keeps what it had') }])
    expect(findings[0]?.message).toContain('It shows A with the chain of a former CA')
  })
})

describe('a workload whose servers read their files when they start', () => {
  const redis = {
    engine: 'Redis',
    reload: { strategy: 'Rollout' },
    topology: { statefulSet: { name: 'db', replicas: 1 } },
  }
  const goalUnder = (chainOf: () => string | undefined): string | undefined => {
    const { deliver } = world({ ...redis, engine: 'ZooKeeper' })
    const plan = planOf(deliver('A'), {
      ...{ findIssued: () => undefined, trustHashOf: () => undefined, knownAs: (_, hash) => hash, chainOf },
    })
    return plan?.workloads[0]?.goal.leaf
  }

  it('is to be restarted for another chain, and for nothing where there is none', () => {
    const usual = goalUnder(() => undefined)
    expect(usual).toMatch(/^[0-9a-f]{16}$/)
    expect(goalUnder(() => undefined)).toBe(usual)
    expect(new Set([usual, goalUnder(() => 'N'), goalUnder(() => 'M')]).size).toBe(3)
  })

  const live = {
    kind: 'StatefulSet',
    apiVersion: 'apps/v1',
    metadata: { name: 'db', namespace: 'data', generation: 1 },
  }
  const view = { key: 'data/orders', profile: { metadata: { name: 'orders', namespace: 'data' } } } as ProfileView
  it.each([
    ['who show the former one', true, 1],
    ['who have read it by themselves', false, 0],
  ])('is restarted for servers %s: %s', async (_, former, count) => {
    const applied: unknown[] = []
    const workload = {
      ...{ ...live, status: { observedGeneration: 1, replicas: 1, readyReplicas: 1, updatedReplicas: 1 } },
      spec: { replicas: 1, template: { metadata: { annotations: { 'dbtls.dev/restarted-for': 'aa.cc' } } } },
    } as unknown as Workload
    const { context } = stubContext({
      get: () => Promise.resolve(workload),
      apply: (_kind: unknown, object: unknown) => Promise.resolve(applied.push(object)),
    })
    const address = 'db-0:2281'
    const server = { address, delivered: [{ serial: 'A' }] }
    const plan = {
      ...{ strategy: 'Rollout', servers: [server], trust: [], trustHash: 'cc' },
      workloads: [{ kind: 'StatefulSet', name: 'db', goal: { leaf: 'bb', trust: 'cc' }, servers: [server], since: 0 }],
    } as unknown as ReloadPlan
    const { signal } = new AbortController()
    const formerChains = new Set(former ? [address] : [])
    const seen = { served: new Map([[address, 'A']]), formerChains, recorded: 'cc' }
    await new Restarts(context).step({ view, plan, ...seen, signal })
    expect(applied).toHaveLength(count)
  })
})
