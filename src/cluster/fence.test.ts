import { describe, expect, it } from 'vitest'
import { ManualClock } from '../runtime/manual-clock.ts'
import { EmbeddedCluster } from './embedded/cluster.ts'
import { isTransient } from './errors.ts'
import { fenced } from './fence.ts'
import type { Event } from './kinds.ts'
import { leases } from './kinds.ts'
import type { Cluster, Resource, WatchEvent } from './port.ts'

const writer = { fieldManager: 'test' }
const widgets: Resource = { group: 'example.dev', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true }
const widget = (extra: object = {}) => ({
  apiVersion: 'example.dev/v1',
  kind: 'Widget',
  metadata: { namespace: 'a', name: 'one' },
  ...extra,
})
const key = { namespace: 'a', name: 'one' }

const setUp = () => {
  const inner = new EmbeddedCluster({ kinds: [{ resource: widgets }, { resource: leases }], clock: new ManualClock() })
  const state = { leads: true }
  return { inner, state, cluster: fenced(inner, () => state.leads) }
}

/** Each write, in an order in which it succeeds where it may. */
const writes: readonly (readonly [string, (cluster: Cluster, resourceVersion: string) => Promise<unknown>])[] = [
  ['create', (cluster) => cluster.create(widgets, { ...widget(), metadata: { namespace: 'a', name: 'two' } }, writer)],
  [
    'update',
    (cluster, resourceVersion) =>
      cluster.update(widgets, { ...widget({ spec: { n: 1 } }), metadata: { ...key, resourceVersion } }, writer),
  ],
  [
    'updateStatus',
    (cluster, resourceVersion) =>
      cluster.updateStatus(widgets, { ...widget({ status: { n: 1 } }), metadata: { ...key, resourceVersion } }, writer),
  ],
  ['apply', (cluster) => cluster.apply(widgets, widget({ spec: { n: 2 } }), { ...writer, force: true })],
  ['delete', (cluster) => cluster.delete(widgets, key)],
]

describe('fenced', () => {
  it.each(writes)('%s is not sent by one who does not lead', async (_, write) => {
    const { inner, state, cluster } = setUp()
    const { resourceVersion = '' } = (await inner.create(widgets, widget(), writer)).metadata
    const before = await inner.list(widgets)
    state.leads = false
    const refusal = await write(cluster, resourceVersion).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ status: 0, reason: 'NotLeader', ambiguous: false })
    // The work is tried again later, by whoever leads then.
    expect(isTransient(refusal)).toBe(true)
    expect(await inner.list(widgets)).toEqual(before)
  })

  it.each(writes)('%s by the leader passes with its arguments and its answer', async (verb, write) => {
    const [through, direct] = await Promise.all(
      [true, false].map(async (behindFence) => {
        const { inner, cluster } = setUp()
        const { resourceVersion = '' } = (await inner.create(widgets, widget(), writer)).metadata
        const answer = (await write(behindFence ? cluster : inner, resourceVersion)) as Event | undefined
        const { items } = await inner.list(widgets)
        return { name: answer?.metadata.name, items: items.map((item) => ({ ...item, metadata: item.metadata.name })) }
      }),
    )
    expect(through).toEqual(direct)
    expect(through?.items).not.toEqual([{ ...widget(), metadata: 'one' }])
    expect(verb === 'delete').toBe(through?.name === undefined)
  })

  it('an error of the cluster comes through as it is', async () => {
    const { cluster } = setUp()
    await expect(cluster.delete(widgets, key)).rejects.toMatchObject({ status: 404, reason: 'NotFound' })
  })

  it('it asks before every write', async () => {
    const { state, cluster } = setUp()
    const tries: boolean[] = []
    for (const leads of [true, false, true, false]) {
      state.leads = leads
      const applied = cluster.apply(widgets, widget({ spec: { n: tries.length } }), writer)
      tries.push(
        await applied.then(
          () => true,
          () => false,
        ),
      )
    }
    expect(tries).toEqual([true, false, true, false])
  })

  it('reads pass also for one who does not lead', async () => {
    const { inner, state, cluster } = setUp()
    await inner.create(widgets, widget(), writer)
    state.leads = false
    expect(await cluster.get(widgets, key)).toEqual(await inner.get(widgets, key))
    expect(await cluster.get(widgets, key, { metadataOnly: true })).not.toHaveProperty('spec')
    expect(await cluster.list(widgets, { namespace: 'a' })).toEqual(await inner.list(widgets))
    const seen: WatchEvent<Event>['type'][] = []
    for await (const { type } of cluster.watch(widgets, { sendInitialEvents: true })) {
      seen.push(type)
      if (type === 'BOOKMARK') break
    }
    expect(seen).toEqual(['ADDED', 'BOOKMARK'])
  })
})
