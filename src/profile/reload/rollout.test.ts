import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Workload } from '../../resources/workloads.ts'
import type { Goal, PlannedWorkload } from './plan.ts'
import { annotationOf, decideRollout, goalOf, unansweredMs, unfinished, type WorkloadSeen } from './rollout.ts'

const now = Date.UTC(2026, 5, 1)
const planned = (changes: Partial<PlannedWorkload> = {}): PlannedWorkload => ({
  ...{ kind: 'StatefulSet', name: 'db', goal: { leaf: 'bb', trust: 'cc' }, servers: [], since: now - 1000 },
  ...changes,
})
const workload = (changes: Partial<Workload['status']> = {}, spec: Partial<Workload['spec']> = {}): Workload => ({
  ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', spec: { replicas: 2, ...spec } },
  metadata: { name: 'db', generation: 3, creationTimestamp: new Date(now - 86_400_000).toISOString() },
  status: {
    ...{ observedGeneration: 3, replicas: 2, readyReplicas: 2, updatedReplicas: 2, availableReplicas: 2 },
    ...{ currentRevision: 'b', updateRevision: 'b' },
    ...changes,
  },
})
const deployment = (status: Partial<Workload['status']> = {}, spec: Partial<Workload['spec']> = {}): Workload => ({
  ...workload(status, spec),
  kind: 'Deployment',
})
const seen = (changes: Partial<WorkloadSeen> = {}): WorkloadSeen => ({
  ...{ wanted: planned(), live: workload(), goal: undefined, shows: undefined, trust: undefined },
  ...changes,
})
const before: Goal = { leaf: 'aa', trust: 'cc' }

describe('one workload', () => {
  it.each([
    ['restarted for it, and done', seen({ goal: { leaf: 'bb', trust: 'cc' } }), undefined],
    ['restarted for another certificate', seen({ goal: before }), 'Restart'],
    ['restarted for other CAs', seen({ goal: { leaf: 'bb', trust: 'dd' } }), 'Restart'],
    ['never restarted, and its servers show it', seen({ shows: true }), undefined],
    ['never restarted, and its servers show another', seen({ shows: false }), 'Restart'],
    ['restarted for another, and its servers show it already', seen({ goal: before, shows: true }), undefined],
    [
      'never restarted, nobody can ask, younger than the certificate',
      seen({ wanted: planned({ since: now - 2 * 86_400_000 }) }),
      undefined,
    ],
    ['never restarted, nobody can ask, older, a moment ago', seen(), undefined],
    [
      'never restarted, nobody can ask, older, a while ago',
      seen({ wanted: planned({ since: now - unansweredMs - 1 }) }),
      'Restart',
    ],
    ['status remembers other CAs', seen({ shows: true, trust: 'dd' }), 'Restart'],
    ['status remembers these CAs', seen({ shows: true, trust: 'cc' }), undefined],
    [
      'certificates are read by themselves',
      seen({ wanted: planned({ goal: { leaf: '', trust: 'cc' } }), goal: { leaf: '', trust: 'cc' }, shows: false }),
      undefined,
    ],
    ['does not exist', seen({ live: undefined }), 'Wait does not exist in this namespace'],
    [
      'restarted for it, and its servers go on showing another',
      seen({ goal: { leaf: 'bb', trust: 'cc' }, shows: false }),
      'Wait was restarted for the new certificate, and its servers go on showing a former one: see that its pods mount the Secret',
    ],
    [
      'restarted for it, under way',
      seen({ goal: { leaf: 'bb', trust: 'cc' }, live: workload({ readyReplicas: 1 }) }),
      'Wait has 1 of 2 pods Ready',
    ],
    [
      'somebody else has changed it, under way',
      seen({ goal: before, live: workload({ updateRevision: 'c', updatedReplicas: 1 }) }),
      'Wait has replaced 1 of 2 pods',
    ],
    [
      'its pods are not Ready, which may be because of the former certificate',
      seen({ goal: before, live: workload({ readyReplicas: 0 }) }),
      'Restart',
    ],
  ] as const)('%s', (_, one, expected) => {
    const step = decideRollout([one], now)
    expect(step === undefined ? undefined : step.act === 'Wait' ? `Wait ${step.words}` : step.act).toBe(expected)
  })
  it.each([
    ['complete', workload(), undefined],
    ['not seen by its controller', workload({ observedGeneration: 2 }), 'is about to replace its pods'],
    ['without a status', { ...workload(), status: undefined } as unknown as Workload, 'is about to replace its pods'],
    [
      'below a partition',
      workload({ updateRevision: 'c', updatedReplicas: 1 }, { updateStrategy: { rollingUpdate: { partition: 1 } } }),
      undefined,
    ],
    [
      'replaced by hand',
      workload({ updateRevision: 'c', updatedReplicas: 0 }, { updateStrategy: { type: 'OnDelete' } }),
      'has replaced 0 of 2 pods; its updateStrategy is OnDelete: delete its pods one after the other',
    ],
    ['of no pods', workload({ replicas: 0, readyReplicas: 0, updatedReplicas: 0 }, { replicas: 0 }), undefined],
    ['a Deployment, complete', deployment(), undefined],
    ['a Deployment with old pods left', deployment({ replicas: 3 }), 'has replaced 2 of 2 pods'],
    ['a Deployment whose pods are not available', deployment({ availableReplicas: 1 }), 'has 1 of 2 pods Ready'],
    [
      'a Deployment that is paused',
      deployment({ updatedReplicas: 0 }, { paused: true }),
      'is paused (spec.paused), so its pods are not replaced: resume it',
    ],
  ] as const)('is judged as kubectl rollout status does: %s', (_, live, expected) => {
    expect(unfinished(live)).toBe(expected)
  })
})

describe('an annotation', () => {
  it('is read back', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-f]{0,16}$/), fc.stringMatching(/^[0-9a-f]{0,16}$/), (leaf, trust) => {
        expect(goalOf(annotationOf({ leaf, trust }))).toEqual({ leaf, trust })
      }),
    )
  })
  it.each([undefined, '', 'yes', 'a.b.c', '__proto__'])("%s is nobody's", (text) => {
    expect(goalOf(text)).toBeUndefined()
  })
})

describe('several workloads', () => {
  /** Each with pods that are replaced one by one, whenever its controller comes by. */
  const worlds = fc.record({
    pods: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
    restarted: fc.array(fc.constantFrom('never', 'before', 'now'), { minLength: 4, maxLength: 4 }),
    turns: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 40, maxLength: 40 }),
  })
  it('are restarted one at a time, each once, and all in the end', () => {
    fc.assert(
      fc.property(worlds, ({ pods, restarted, turns }) => {
        const goal = { leaf: 'bb', trust: 'cc' }
        const world = pods.map((replicas, index) => {
          const how = restarted[index]
          return {
            replicas,
            fresh: replicas,
            restarts: 0,
            goal: how === 'now' ? goal : how === 'before' ? before : undefined,
          }
        })
        const wanted = pods.map((_, index) => planned({ name: `${index}`, goal, since: now - 86_400_000 * 0.5 }))
        const look = (): WorkloadSeen[] =>
          world.map(({ replicas, fresh, goal: has }, index) => ({
            ...{ wanted: wanted[index] ?? planned(), goal: has, shows: undefined, trust: undefined },
            live: workload(
              { readyReplicas: fresh, updatedReplicas: fresh, updateRevision: fresh < replicas ? 'c' : 'b' },
              { replicas },
            ),
          }))
        const step = (): void => {
          const decided = decideRollout(look(), now)
          if (decided?.act !== 'Restart') return
          expect(
            world.every(({ fresh, replicas }) => fresh === replicas),
            'nobody else is under way',
          ).toBe(true)
          const one = world[Number(decided.wanted.name)]
          if (one === undefined) throw new Error('no such workload')
          Object.assign(one, { goal, fresh: 0, restarts: one.restarts + 1 })
        }
        for (const turn of turns) {
          step()
          const one = world[turn]
          if (one !== undefined && one.fresh < one.replicas) one.fresh += 1
        }
        for (let rest = 0; rest < 30; rest += 1) {
          step()
          for (const one of world) one.fresh = Math.min(one.replicas, one.fresh + 1)
        }
        expect(decideRollout(look(), now)).toBeUndefined()
        expect(world.map(({ restarts }) => restarts)).toEqual(
          pods.map((_, index) => (restarted[index] === 'now' ? 0 : 1)),
        )
      }),
    )
  })
})
