import { describe, expect, it } from 'vitest'
import { stubContext } from '../../control/testing.ts'
import type { Workload } from '../../resources/workloads.ts'
import type { ProfileView } from '../collaborators.ts'
import type { ReloadPlan } from './plan.ts'
import { Restarts } from './restarts.ts'
import { annotationOf } from './rollout.ts'

const planFor = (leaf: string): ReloadPlan =>
  ({
    strategy: 'Rollout',
    servers: [],
    workloads: [{ kind: 'StatefulSet', name: 'db', goal: { leaf, trust: 'cc' }, servers: [], since: 0 }],
    trust: [],
    trustHash: 'cc',
  }) as unknown as ReloadPlan

const view = { key: 'data/orders', profile: { metadata: { name: 'orders', namespace: 'data' } } } as ProfileView

/** A StatefulSet that was restarted for `leaf`, and is done. */
const live = (leaf: string): Workload =>
  ({
    ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db', namespace: 'data', generation: 1 } },
    spec: {
      replicas: 1,
      template: { metadata: { annotations: { 'dbtls.dev/restarted-for': annotationOf({ leaf, trust: 'cc' }) } } },
    },
    status: {
      ...{ observedGeneration: 1, replicas: 1, readyReplicas: 1, updatedReplicas: 1, availableReplicas: 1 },
      ...{ currentRevision: 'a', updateRevision: 'a' },
    },
  }) as unknown as Workload

describe('what is told of restarts', () => {
  it('is never that all is done between a delivery and the first look at what it means', async () => {
    const answers: PromiseWithResolvers<Workload>[] = []
    const get = (): Promise<Workload> => {
      const answer = Promise.withResolvers<Workload>()
      answers.push(answer)
      return answer.promise
    }
    const { context } = stubContext({ get })
    const restarts = new Restarts(context)
    const { signal } = new AbortController()
    const step = (plan: ReloadPlan) =>
      restarts.step({ view, plan, served: new Map(), formerChains: new Set(), recorded: 'cc', signal })

    const first = step(planFor('aa'))
    answers[0]?.resolve(live('aa'))
    await first
    expect(restarts.told(view.key, planFor('aa'))).toEqual([])

    const changed = [{ name: 'StatefulSet/db', reason: 'Changed', weight: 'Under way' }]
    expect(restarts.told(view.key, planFor('bb'))).toMatchObject(changed)
    const second = step(planFor('bb'))
    expect(restarts.told(view.key, planFor('bb'))).toMatchObject(changed)
    answers[1]?.resolve(live('bb'))
    await second
    expect(restarts.told(view.key, planFor('bb'))).toEqual([])
  })
})
