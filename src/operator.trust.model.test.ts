import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiError, isAlreadyExists, isNotFound } from './cluster/errors.ts'
import type { Cluster } from './cluster/port.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { type ConfigMap, configMaps, namespaces, secrets } from './resources/core.ts'
import { ManualClock } from './runtime/manual-clock.ts'
import { withVerbs } from './faults.fixture.ts'
import { authority, namespace, newCluster, person, put, quiet, start, until } from './testing.ts'

/**
 * Any sequence of what people do to namespaces, CAs, targets and the objects themselves ends with exactly the objects
 * that are wanted, with the right contents, and with everything that others made untouched.
 */

const spaces = [namespace, 'one', 'two'] as const
const labels = ['none', 'gold'] as const
const cas = ['ca', 'cb'] as const
const names = ['trust', 'other'] as const

const selection = fc.oneof(
  fc.constant({ from: 'Same' }),
  fc.constant({ from: 'All' }),
  fc.constant({ from: 'Names', names: ['one'] }),
  fc.constant({ from: 'Selector', selector: { matchLabels: { tier: 'gold' } } }),
)
const item = (key: string) => ({ key, content: 'TrustBundle' })
const target = fc.record({
  kind: fc.constantFrom('ConfigMap', 'Secret'),
  name: fc.constantFrom(...names),
  namespaces: selection,
  items: fc.constantFrom([item('ca.crt')], [item('roots.pem')], [item('ca.crt'), item('roots.pem')]),
})
type Target = typeof target extends fc.Arbitrary<infer T> ? T : never

const step = fc.oneof(
  fc.record({
    do: fc.constant('targets' as const),
    ca: fc.constantFrom(...cas),
    targets: fc.array(target, { maxLength: 3 }),
  }),
  fc.record({ do: fc.constant('deleteAuthority' as const), ca: fc.constantFrom(...cas) }),
  fc.record({ do: fc.constant('label' as const), space: fc.constantFrom(...spaces), tier: fc.constantFrom(...labels) }),
  fc.record({ do: fc.constant('deleteNamespace' as const), space: fc.constantFrom('one' as const, 'two' as const) }),
  fc.record({
    do: fc.constant('foreign' as const),
    space: fc.constantFrom(...spaces),
    name: fc.constantFrom(...names),
  }),
  fc.record({ do: fc.constant('tamper' as const), space: fc.constantFrom(...spaces), name: fc.constantFrom(...names) }),
  fc.record({ do: fc.constant('remove' as const), space: fc.constantFrom(...spaces), name: fc.constantFrom(...names) }),
  fc.record({ do: fc.constant('restart' as const) }),
  fc.record({ do: fc.constant('settle' as const) }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const ignoring = async (refused: (error: unknown) => boolean, work: Promise<unknown>): Promise<void> => {
  try {
    await work
  } catch (error) {
    if (!refused(error)) throw error
  }
}

/** As on an API server, namespaces have to be there: the embedded cluster makes them with their first object. */
const strict = (cluster: Cluster): Cluster =>
  withVerbs(cluster, {
    apply: async (...args) => {
      const { namespace: space } = args[1].metadata
      if (space !== undefined && !(await namesOfNamespaces(cluster)).includes(space))
        throw new ApiError({ status: 404, reason: 'NotFound', message: `namespaces "${space}" not found` })
      return cluster.apply(...args)
    },
  })
const namesOfNamespaces = async (cluster: Cluster): Promise<string[]> =>
  (await cluster.list(namespaces)).items.map(({ metadata }) => metadata.name)

class World {
  readonly clock = new ManualClock()
  readonly cluster = newCluster(this.clock)
  readonly targets = new Map<string, readonly Target[]>()
  readonly tiers = new Map<string, string>()
  /** `namespace/name` of ConfigMaps that somebody else made. */
  readonly foreign = new Map<string, string>()
  #running: Awaited<ReturnType<typeof start>> | undefined

  async begin(): Promise<void> {
    for (const space of spaces) await this.#label(space, 'none')
    this.#running = await start(strict(this.cluster), this.clock)
  }

  async #label(space: string, tier: string): Promise<void> {
    this.tiers.set(space, tier)
    const metadata = { name: space, labels: { tier } }
    await this.cluster.apply(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata }, person)
  }

  async restart(): Promise<void> {
    await this.#running?.stop()
    this.#running = await start(strict(this.cluster), this.clock)
  }

  settle(): Promise<void> {
    if (this.#running === undefined) throw new Error('not begun')
    return quiet(this.#running.operator)
  }

  async take(one: Step): Promise<void> {
    const { cluster } = this
    switch (one.do) {
      case 'targets':
        this.targets.set(one.ca, one.targets)
        await put(cluster, authority({ trustBundle: { targets: one.targets } }, one.ca))
        return
      case 'deleteAuthority':
        this.targets.delete(one.ca)
        await ignoring(isNotFound, cluster.delete(certificateAuthorities, { namespace, name: one.ca }))
        return
      case 'label':
        await this.#label(one.space, one.tier)
        return
      case 'deleteNamespace':
        // A write that is under way would make the namespace again, which no API server does.
        await this.settle()
        this.tiers.delete(one.space)
        for (const key of this.foreign.keys()) if (key.startsWith(`${one.space}/`)) this.foreign.delete(key)
        await ignoring(isNotFound, cluster.delete(namespaces, { name: one.space }))
        return
      case 'foreign':
        return this.#addForeign(one.space, one.name)
      case 'tamper':
        return this.#tamper(one.space, one.name)
      case 'remove':
        if (this.foreign.has(`${one.space}/${one.name}`)) return
        await ignoring(isNotFound, cluster.delete(configMaps, { namespace: one.space, name: one.name }))
        return
      case 'restart':
        return this.restart()
      case 'settle':
        return this.settle()
    }
  }

  async #addForeign(space: string, name: string): Promise<void> {
    if (!this.tiers.has(space)) return
    const object: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: space },
      data: { theirs: 'x' },
    }
    try {
      const { metadata } = await this.cluster.create(configMaps, object, person)
      this.foreign.set(`${space}/${name}`, metadata.resourceVersion ?? '')
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }

  async #tamper(space: string, name: string): Promise<void> {
    if (this.foreign.has(`${space}/${name}`)) return
    await ignoring(
      isNotFound,
      (async () => {
        const map = await this.cluster.get(configMaps, { namespace: space, name })
        // Keys that were there: another one would be somebody's own, and the object not ours to delete.
        const data = Object.fromEntries(Object.keys(map.data ?? {}).map((key) => [key, 'evil']))
        await this.cluster.update(configMaps, { ...map, data }, person)
      })(),
    )
  }

  /** What each CA wants, `Kind namespace/name` → its keys; of two targets of one CA the first counts. */
  wantedBy(ca: string): Map<string, readonly string[]> {
    const wanted = new Map<string, readonly string[]>()
    for (const { kind, name, namespaces: chosen, items } of this.targets.get(ca) ?? [])
      for (const space of this.#chosen(chosen)) {
        const id = `${kind} ${space}/${name}`
        const keys = items.map(({ key }) => key)
        if (!wanted.has(id)) wanted.set(id, keys)
      }
    return wanted
  }

  #chosen(chosen: { readonly from: string }): string[] {
    const alive = [...this.tiers.keys()]
    if (chosen.from === 'Same') return [namespace]
    if (chosen.from === 'Names') return alive.filter((space) => space === 'one')
    return chosen.from === 'All' ? alive : alive.filter((space) => this.tiers.get(space) === 'gold')
  }
}

interface Found {
  readonly ca: string
  readonly contents: Readonly<Record<string, string>>
}

const textOf = (data: Readonly<Record<string, string>> = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))

const targetsIn = async (cluster: Cluster): Promise<Map<string, Found>> => {
  const found = new Map<string, Found>()
  const trustOf = (annotations: Readonly<Record<string, string>> = {}): string | undefined =>
    annotations['dbtls.dev/trust-of']?.split('/')[1]
  for (const { metadata, data } of (await cluster.list(configMaps)).items) {
    const ca = trustOf(metadata.annotations)
    if (ca !== undefined) found.set(`ConfigMap ${metadata.namespace}/${metadata.name}`, { ca, contents: data ?? {} })
  }
  for (const { metadata, data } of (await cluster.list(secrets)).items) {
    const ca = trustOf(metadata.annotations)
    if (ca !== undefined) found.set(`Secret ${metadata.namespace}/${metadata.name}`, { ca, contents: textOf(data) })
  }
  return found
}

const rootOf = async (cluster: Cluster, ca: string): Promise<string> =>
  Buffer.from((await cluster.get(secrets, { namespace, name: `${ca}-ca` })).data?.['ca.crt'] ?? '', 'base64').toString()

/** Why the cluster is not as it should be, or undefined. */
const difference = async (world: World): Promise<string | undefined> => {
  const found = await targetsIn(world.cluster)
  const wanted = new Map(cas.map((ca) => [ca, world.wantedBy(ca)]))
  for (const [id, { ca, contents }] of found) {
    const keys = wanted.get(ca as (typeof cas)[number])?.get(id)
    if (keys === undefined) return `${id} of ${ca} is not wanted`
    const root = await rootOf(world.cluster, ca)
    if (Object.keys(contents).toSorted().join() !== keys.toSorted().join())
      return `${id} has keys ${Object.keys(contents).join()}`
    if (Object.values(contents).some((value) => value !== root)) return `${id} does not hold the root of ${ca}`
  }
  for (const [ca, ids] of wanted)
    for (const id of ids.keys())
      if (!found.has(id) && !world.foreign.has(id.replace('ConfigMap ', ''))) return `${id} of ${ca} is missing`
  for (const [key, resourceVersion] of world.foreign) {
    const [space = '', name = ''] = key.split('/')
    const { metadata } = await world.cluster.get(configMaps, { namespace: space, name })
    if (metadata.resourceVersion !== resourceVersion) return `ConfigMap ${key} of somebody else was touched`
  }
  return undefined
}

describe('any sequence of changes', () => {
  it('ends with exactly what is wanted, and with nothing else touched', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        const world = new World()
        await world.begin()
        for (const one of steps) await world.take(one)
        let last: string | undefined
        await until('the wanted state', async () => {
          last = await difference(world)
          return last === undefined ? true : undefined
        }).catch(() => {
          throw new Error(last)
        })
        await world.settle()
        expect(await difference(world)).toBeUndefined()
        const versions = await world.cluster.list(configMaps)
        await world.restart()
        await world.settle()
        expect((await world.cluster.list(configMaps)).items).toEqual(versions.items)
        expect(await difference(world)).toBeUndefined()
      }),
      { numRuns: 40 },
    )
  }, 120_000)
})
