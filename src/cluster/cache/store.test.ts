import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../port.ts'
import type { Change } from './store.ts'
import { Store } from './store.ts'

interface Thing extends KubeObject {
  readonly owner?: string
}

const thing = (
  name: string,
  resourceVersion: string,
  more: Partial<Thing['metadata']> & { owner?: string } = {},
): Thing => {
  const { owner, ...metadata } = more
  return {
    apiVersion: 'v1',
    kind: 'Thing',
    metadata: { namespace: 'data', uid: `uid-${name}`, ...metadata, name, resourceVersion },
    ...(owner === undefined ? {} : { owner }),
  }
}

const setUp = (namespace?: string) => {
  const changes: Change<Thing>[] = []
  const store = new Store<Thing>({
    indexers: { owner: ({ owner }) => (owner === undefined ? [] : owner.split(',')) },
    onChange: (change) => void changes.push(change),
  })
  const source = store.source(namespace)
  const list = (version: string, ...objects: Thing[]): void => {
    source.feed({ type: 'Init' })
    for (const object of objects) source.feed({ type: 'InitApply', object })
    source.feed({ type: 'InitDone', resourceVersion: version })
  }
  const told = (): string[] =>
    changes
      .splice(0)
      .map(({ type, key, after, initial }) =>
        [type, key, after?.metadata.resourceVersion ?? '-', ...(initial ? ['initial'] : [])].join(' '),
      )
  return { store, source, list, told }
}

const versionOf = (store: Store<Thing>, name: string): string | undefined =>
  store.get(`data/${name}`)?.metadata.resourceVersion

describe('a list', () => {
  test('appears whole at its end, as initial the first time', () => {
    const { store, source, told } = setUp()
    source.feed({ type: 'Init' })
    source.feed({ type: 'InitApply', object: thing('a', '1') })
    expect(store.size).toBe(0)
    source.feed({ type: 'InitApply', object: thing('b', '2') })
    source.feed({ type: 'InitDone', resourceVersion: '5' })
    expect(told()).toEqual(['set data/a 1 initial', 'set data/b 2 initial'])
  })

  test('made again tells only what changed: deletions and changes that no event told', () => {
    const { list, told } = setUp()
    list('5', thing('same', '1'), thing('gone', '2'), thing('changed', '3'))
    told()
    list('9', thing('same', '1'), thing('changed', '7'), thing('new', '8'))
    expect(told()).toEqual(['delete data/gone -', 'set data/changed 7', 'set data/new 8'])
  })

  test('that breaks off and begins again forgets its first part', () => {
    const { store, source, list } = setUp()
    source.feed({ type: 'Init' })
    source.feed({ type: 'InitApply', object: thing('a', '1') })
    list('5', thing('b', '2'))
    expect([...store.keys()]).toEqual(['data/b'])
  })

  test('sees an object deleted and created again under its name as a change, even at one version', () => {
    const { list, told } = setUp()
    list('5', thing('a', '1'))
    told()
    list('6', thing('a', '1', { uid: 'another' }))
    expect(told()).toEqual(['set data/a 1'])
  })

  test('of a server restored from a backup wins over everything seen before', () => {
    const { store, source, list } = setUp()
    list('100', thing('a', '90'), thing('lost', '95'))
    source.feed({ type: 'Apply', object: thing('a', '110') })
    store.wrote(thing('a', '120'))
    list('50', thing('a', '40'))
    expect([...store.values()].map(({ metadata }) => metadata.resourceVersion)).toEqual(['40'])
    source.feed({ type: 'Apply', object: thing('a', '51') })
    expect(versionOf(store, 'a')).toBe('51')
  })

  test('of one namespace leaves the objects of others alone', () => {
    const { store, list } = setUp('data')
    const other = store.source('other')
    other.feed({ type: 'Init' })
    other.feed({ type: 'InitApply', object: thing('a', '3', { namespace: 'other' }) })
    other.feed({ type: 'InitDone', resourceVersion: '4' })
    list('5', thing('a', '1'))
    list('6')
    expect([...store.keys()]).toEqual(['other/a'])
  })
})

describe('our own writes', () => {
  test('are read at once, and not taken back by older events', () => {
    const { store, source, list, told } = setUp()
    list('5', thing('a', '1'))
    told()
    store.wrote(thing('a', '8'))
    source.feed({ type: 'Apply', object: thing('a', '7') })
    expect(versionOf(store, 'a')).toBe('8')
    source.feed({ type: 'Apply', object: thing('a', '8') })
    expect(told()).toEqual(['set data/a 8'])
  })

  test('are not taken back by a list that began before them', () => {
    const { store, source, list } = setUp()
    list('5', thing('a', '1'))
    source.feed({ type: 'Init' })
    store.wrote(thing('a', '8'))
    store.wrote(thing('new', '9'))
    source.feed({ type: 'InitApply', object: thing('a', '1') })
    source.feed({ type: 'InitDone', resourceVersion: '6' })
    expect([versionOf(store, 'a'), versionOf(store, 'new')]).toEqual(['8', '9'])
  })

  test('that a list already contains, or knows to be deleted, yield to it', () => {
    const { store, source } = setUp()
    source.feed({ type: 'Init' })
    store.wrote(thing('a', '8'))
    store.wrote(thing('gone', '9'))
    source.feed({ type: 'InitApply', object: thing('a', '10') })
    source.feed({ type: 'InitDone', resourceVersion: '12' })
    expect([versionOf(store, 'a'), versionOf(store, 'gone')]).toEqual(['10', undefined])
  })

  test('answered after the stream has passed them do not bring back what was deleted since', () => {
    const { store, source, list } = setUp()
    list('5')
    source.feed({ type: 'Apply', object: thing('a', '6') })
    source.feed({ type: 'Delete', object: thing('a', '7') })
    store.wrote(thing('a', '6'))
    expect(store.size).toBe(0)
  })

  test('of a namespace that nobody watches are not kept', () => {
    const { store, list } = setUp('data')
    list('5')
    store.wrote(thing('a', '9', { namespace: 'elsewhere' }))
    expect(store.size).toBe(0)
  })
})

describe('our own deletions', () => {
  test('hold against events and lists of the object that are still on the way', () => {
    const { store, source, list, told } = setUp()
    list('5', thing('a', '1'))
    source.feed({ type: 'Init' })
    store.removed('data/a', 'uid-a')
    source.feed({ type: 'InitApply', object: thing('a', '1') })
    source.feed({ type: 'InitDone', resourceVersion: '6' })
    source.feed({ type: 'Apply', object: thing('a', '7') })
    expect(store.size).toBe(0)
    told()
    source.feed({ type: 'Delete', object: thing('a', '8') })
    expect(told()).toEqual([])
  })

  test('do not touch a successor of the same name', () => {
    const { store, source, list } = setUp()
    list('5', thing('a', '1'))
    store.removed('data/a', 'uid-a')
    store.wrote(thing('a', '9', { uid: 'second' }))
    source.feed({ type: 'Delete', object: thing('a', '8') })
    expect(store.get('data/a')?.metadata.uid).toBe('second')
    store.removed('data/a', 'uid-a')
    expect(store.get('data/a')?.metadata.uid).toBe('second')
  })

  test('of an object that a finalizer holds show it as terminating', () => {
    const { store, source, list } = setUp()
    list('5', thing('a', '1'))
    store.removed('data/a', 'uid-a')
    source.feed({ type: 'Apply', object: thing('a', '6', { deletionTimestamp: '2026-01-01T00:00:00Z' }) })
    expect(versionOf(store, 'a')).toBe('6')
  })

  test('are forgotten by a list that began after them', () => {
    const { store, list } = setUp()
    list('5', thing('a', '1'))
    store.removed('data/a', 'uid-a')
    list('3', thing('a', '1'))
    expect(store.size).toBe(1)
  })
})

describe('an event', () => {
  test('of a deletion older than what is held is not obeyed', () => {
    const { store, source, list } = setUp()
    list('5')
    store.wrote(thing('a', '9', { uid: 'second' }))
    source.feed({ type: 'Delete', object: thing('a', '7') })
    expect(store.size).toBe(1)
  })

  test('is obeyed where resourceVersions have no order', () => {
    const { store, source, list } = setUp()
    list('x', thing('a', 'p'))
    source.feed({ type: 'Apply', object: thing('a', 'b') })
    expect(versionOf(store, 'a')).toBe('b')
    source.feed({ type: 'Delete', object: thing('a', 'a') })
    expect(store.size).toBe(0)
  })
})

describe('an index', () => {
  test('finds by each value and follows changes and deletions', () => {
    const { store, source, list } = setUp()
    list('5', thing('a', '1', { owner: 'x,y' }), thing('b', '2', { owner: 'y' }))
    const names = (value: string): string[] => store.by('owner', value).map(({ metadata }) => metadata.name)
    expect([names('x'), names('y'), names('z')]).toEqual([['a'], ['a', 'b'], []])
    source.feed({ type: 'Apply', object: thing('a', '6', { owner: 'z' }) })
    source.feed({ type: 'Delete', object: thing('b', '7') })
    expect([names('x'), names('y'), names('z')]).toEqual([[], [], ['a']])
    expect(store.by('owner', 'z')[0]?.metadata.resourceVersion).toBe('6')
  })

  test('that was not declared is an error of the caller', () => {
    expect(() => setUp().store.by('constructor', 'x')).toThrow(RangeError)
  })

  test('takes any value, __proto__ too', () => {
    const { store, list } = setUp()
    list('5', thing('a', '1', { owner: '__proto__' }))
    expect(store.by('owner', '__proto__')).toHaveLength(1)
  })
})
