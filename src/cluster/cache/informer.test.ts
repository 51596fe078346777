import { expect, test } from 'vitest'
import type { Fields, Logger } from '../../runtime/log.ts'
import { silentLogger } from '../../runtime/log.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import type { KubeObject } from '../port.ts'
import type { InformerOptions } from './informer.ts'
import { Informer } from './informer.ts'
import type { ListAnswer } from './scripted-cluster.ts'
import { ScriptedCluster, thing, things } from './scripted-cluster.ts'

const answer = (...objects: KubeObject[]): ListAnswer => ({ resourceVersion: '5', items: objects })

const setUp = (cluster: ScriptedCluster, options: Partial<InformerOptions<KubeObject>> = {}) => {
  const clock = new ManualClock()
  const errors: Fields[] = []
  const log: Logger = { ...silentLogger(), error: (_, fields = {}) => void errors.push(fields) }
  const informer = new Informer<KubeObject>({
    cluster: cluster.port,
    resource: things,
    clock,
    random: () => 0,
    log,
    streaming: false,
    ...options,
  })
  const told: string[] = []
  informer.onChange(({ type, key, initial }) => void told.push(`${type} ${key}${initial ? ' initial' : ''}`))
  const controller = new AbortController()
  return { informer, clock, errors, told, controller, turn: () => clock.advance(0) }
}

test('an informer fills its store, says so, and follows', async () => {
  const cluster = new ScriptedCluster(answer(thing('a', '1')))
  const { informer, controller, told, turn } = setUp(cluster)
  expect(informer.hasSynced).toBe(false)
  informer.start(controller.signal)
  await informer.synced
  await turn()
  cluster.watch.event('DELETED', 'a', '6')
  await turn()
  expect([informer.hasSynced, informer.store.size, told]).toEqual([true, 0, ['set data/a initial', 'delete data/a']])
  controller.abort()
  await informer.stopped
})

test('our own write reaches handlers once, though the watch brings it again', async () => {
  const cluster = new ScriptedCluster(answer())
  const { informer, controller, told, turn } = setUp(cluster)
  informer.start(controller.signal)
  await turn()
  informer.wrote(thing('a', '7'))
  expect(told).toEqual(['set data/a'])
  cluster.watch.event('ADDED', 'a', '7')
  await turn()
  expect(told).toHaveLength(1)
  controller.abort()
})

test('what is kept of our own write is not made again when the watch brings it', async () => {
  const kept: (string | undefined)[] = []
  const cluster = new ScriptedCluster(answer())
  const { informer, controller, turn } = setUp(cluster, {
    transform: (object) => {
      kept.push(object.metadata.resourceVersion)
      return object
    },
  })
  informer.start(controller.signal)
  await turn()
  informer.wrote(thing('a', '7'))
  for (const version of ['7', '8']) cluster.watch.event('MODIFIED', 'a', version)
  await turn()
  expect(kept).toEqual(['7', '8'])
  controller.abort()
})

test('a handler that throws is logged, and the others are told', async () => {
  const cluster = new ScriptedCluster(answer(thing('a', '1')))
  const { informer, controller, errors, turn } = setUp(cluster)
  informer.onChange(() => {
    throw new Error('handler')
  })
  const last: string[] = []
  informer.onChange(({ key }) => void last.push(key))
  informer.start(controller.signal)
  await turn()
  cluster.watch.event('MODIFIED', 'a', '6')
  await turn()
  expect([errors.length, last]).toEqual([2, ['data/a', 'data/a']])
  expect(errors[0]).toMatchObject({ resource: 'things', object: 'data/a' })
  controller.abort()
})

test('a handler that comes late is told what is there; one that left is told nothing', async () => {
  const cluster = new ScriptedCluster(answer(thing('a', '1')))
  const { informer, controller, turn } = setUp(cluster)
  informer.start(controller.signal)
  await turn()
  const late: string[] = []
  const leave = informer.onChange(({ key, initial }) => void late.push(`${key} ${initial}`))
  leave()
  cluster.watch.event('MODIFIED', 'a', '6')
  await turn()
  expect(late).toEqual(['data/a true'])
  controller.abort()
})

test('several namespaces feed one store, which is synced when all are', async () => {
  const cluster = new ScriptedCluster(answer(thing('a', '1', 'one')), answer(thing('a', '2', 'two')))
  const { informer, controller, turn } = setUp(cluster, { namespaces: ['one', 'two'] })
  informer.start(controller.signal)
  await informer.synced
  await turn()
  expect(cluster.lists.map(({ namespace }) => namespace)).toEqual(['one', 'two'])
  expect([...informer.store.keys()]).toEqual(['one/a', 'two/a'])
  controller.abort()
})

test('metadata alone and a projection hold for lists, events and own writes', async () => {
  const full = (version: string): KubeObject & { data: string } => ({ ...thing('a', version), data: 'secret' })
  const cluster = new ScriptedCluster(answer(full('1')))
  const { informer, controller, turn } = setUp(cluster, {
    metadataOnly: true,
    transform: (object) => ({ ...object, kind: 'Projected' }),
  })
  informer.start(controller.signal)
  await turn()
  expect(cluster.lists[0]).toMatchObject({ metadataOnly: true })
  informer.wrote(full('8'))
  expect(informer.store.get('data/a')).toEqual({ ...thing('a', '8'), kind: 'Projected' })
  controller.abort()
})

test('one that is stopped before it has synced says so', async () => {
  const { informer, controller } = setUp(new ScriptedCluster(answer()), { streaming: true })
  informer.start(controller.signal)
  controller.abort(new Error('stopped'))
  await expect(informer.synced).rejects.toThrow('stopped')
})
