/**
 * Any interleaving of what a server does, what it streams, lists made meanwhile, and answers of our own writes that come
 * late: the store ends at the server's state, never goes back, and tells each change once.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KubeObject } from '../port.ts'
import { keyOf } from '../port.ts'
import type { ReflectorEvent } from './reflector.ts'
import type { Change, Source } from './store.ts'
import { Store } from './store.ts'

type Answer = { readonly wrote: KubeObject } | { readonly removed: string; readonly uid: string }

const names = ['a', 'b', 'c'] as const

class World {
  readonly objects = new Map<string, KubeObject>()
  readonly log: { readonly version: number; readonly event: ReflectorEvent<KubeObject> }[] = []
  readonly answers: Answer[] = []
  readonly mirror = new Map<string, KubeObject>()
  readonly store: Store<KubeObject>
  readonly source: Source<KubeObject>
  /** uids whose deletion was answered: only as terminating may they be seen again. */
  readonly #gone = new Set<string>()
  #version = 10
  /** Everything in the log up to here has been streamed. */
  #streamed = 0
  #list: { readonly version: number; readonly objects: readonly KubeObject[] } | 'begun' | undefined

  constructor() {
    this.store = new Store<KubeObject>({ onChange: (change) => this.#check(change) })
    this.source = this.store.source()
    this.relistBegins()
    this.relistReads()
    this.relistEnds()
  }

  /** Somebody (we, if `own`) creates or changes an object. */
  put(name: string, own: boolean): void {
    const present = this.objects.get(name)
    const version = (this.#version += 1)
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'Thing',
      metadata: {
        ...present?.metadata,
        name,
        uid: present?.metadata.uid ?? `uid-${version}`,
        resourceVersion: `${version}`,
      },
    }
    this.objects.set(name, object)
    this.log.push({ version, event: { type: 'Apply', object } })
    if (own) this.answers.push({ wrote: object })
  }

  /** `held`: a finalizer keeps the object, terminating. */
  remove(name: string, own: boolean, held: boolean): void {
    const present = this.objects.get(name)
    if (!present) return
    const version = (this.#version += 1)
    const metadata = { ...present.metadata, resourceVersion: `${version}` }
    const terminating = { ...present, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }
    if (held) this.objects.set(name, terminating)
    else this.objects.delete(name)
    const event = held
      ? { type: 'Apply' as const, object: terminating }
      : { type: 'Delete' as const, object: { ...present, metadata } }
    this.log.push({ version, event })
    if (own) this.answers.push({ removed: name, uid: present.metadata.uid ?? '' })
  }

  answer(index: number): void {
    const [answer] = this.answers.splice(index % Math.max(1, this.answers.length), 1)
    if (!answer) return
    if ('removed' in answer) {
      this.#gone.add(answer.uid)
      return this.store.removed(answer.removed, answer.uid)
    }
    const key = keyOf(answer.wrote)
    this.store.wrote(answer.wrote)
    const read = this.store.get(key)
    const written = Number(answer.wrote.metadata.resourceVersion)
    const deletedSince = this.log.some(
      ({ version, event }) => version > written && event.type === 'Delete' && event.object.metadata.name === key,
    )
    if (!deletedSince && !this.#gone.has(answer.wrote.metadata.uid ?? ''))
      expect(Number(read?.metadata.resourceVersion)).toBeGreaterThanOrEqual(written)
  }

  stream(): void {
    if (this.#list !== undefined) return
    const next = this.log.find(({ version }) => version > this.#streamed)
    if (!next) return
    this.#streamed = next.version
    this.source.feed(next.event)
  }

  bookmark(): void {
    const next = this.log.find(({ version }) => version > this.#streamed)
    if (this.#list === undefined && !next) this.source.feed({ type: 'Bookmark', resourceVersion: `${this.#version}` })
  }

  relistBegins(): void {
    this.#list = 'begun'
    this.source.feed({ type: 'Init' })
  }

  relistReads(): void {
    if (this.#list === 'begun') this.#list = { version: this.#version, objects: [...this.objects.values()] }
  }

  relistEnds(): void {
    if (this.#list === undefined || this.#list === 'begun') return
    for (const object of this.#list.objects) this.source.feed({ type: 'InitApply', object })
    this.source.feed({ type: 'InitDone', resourceVersion: `${this.#list.version}` })
    this.#streamed = this.#list.version
    this.#list = undefined
  }

  settle(): void {
    while (this.answers.length > 0) this.answer(0)
    this.relistReads()
    this.relistEnds()
    for (let rest = this.log.length; rest > 0; rest -= 1) this.stream()
  }

  #check({ type, key, before, after }: Change<KubeObject>): void {
    expect(before).toBe(this.mirror.get(key))
    if (type === 'delete') {
      const uid = before?.metadata.uid ?? ''
      const deleted = this.log.some(({ event }) => event.type === 'Delete' && event.object.metadata.uid === uid)
      expect(deleted || this.#gone.has(uid)).toBe(true)
      return void this.mirror.delete(key)
    }
    if (!after) throw new Error('a set without an object')
    const order = Number(after.metadata.resourceVersion) - Number(before?.metadata.resourceVersion ?? 0)
    expect(order).toBeGreaterThan(0)
    const { uid = '', deletionTimestamp } = after.metadata
    expect(this.#gone.has(uid) && deletionTimestamp === undefined).toBe(false)
    this.mirror.set(key, after)
  }
}

const name = fc.constantFrom(...names)
type Act = (world: World) => void
const often = (weight: number, arbitrary: fc.Arbitrary<Act>): fc.WeightedArbitrary<Act> => ({ weight, arbitrary })
const always = (act: Act): fc.Arbitrary<Act> => fc.constant(act)

// Lists end more often than they begin: nothing is streamed meanwhile.
const action = fc.oneof(
  often(
    6,
    fc.tuple(name, fc.boolean()).map(
      ([n, own]) =>
        (world) =>
          world.put(n, own),
    ),
  ),
  often(
    4,
    fc.tuple(name, fc.boolean(), fc.nat(3)).map(
      ([n, own, held]) =>
        (world) =>
          world.remove(n, own, held === 0),
    ),
  ),
  often(
    4,
    fc.nat(5).map((index) => (world) => world.answer(index)),
  ),
  often(
    10,
    always((world) => world.stream()),
  ),
  often(
    1,
    always((world) => world.bookmark()),
  ),
  often(
    1,
    always((world) => world.relistBegins()),
  ),
  often(
    4,
    always((world) => world.relistReads()),
  ),
  often(
    2,
    always((world) => world.relistEnds()),
  ),
)

test('any interleaving of events, lists and own writes ends at the state of the server', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80, size: 'max' }), (actions) => {
      const world = new World()
      for (const act of actions) act(world)
      world.settle()
      const held = new Map([...world.store.keys()].map((key) => [key, world.store.get(key)?.metadata]))
      expect(held).toEqual(new Map([...world.objects].map(([key, { metadata }]) => [key, metadata])))
      expect(world.mirror.size).toBe(world.store.size)
    }),
    { numRuns: 2000 },
  )
})
