import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../../runtime/manual-clock.ts'
import type { KubeObject, Resource, WatchEvent } from '../port.ts'
import { EmbeddedCluster } from './cluster.ts'
import { StateInUse } from './storage.ts'

interface Data extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}
const configMaps: Resource<Data> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
}
const kinds = [{ resource: configMaps }]
const writer = { fieldManager: 'test' }

const object = (name: string, data: Record<string, string> = {}, metadata: Partial<Data['metadata']> = {}): Data => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'n', name, ...metadata },
  data,
})

const open: EmbeddedCluster[] = []
const folders: string[] = []
const start = (directory?: string, watchWindow?: number, clock = new ManualClock()): EmbeddedCluster => {
  const cluster = new EmbeddedCluster({ directory, kinds, clock, ...(watchWindow ? { watchWindow } : {}) })
  open.push(cluster)
  return cluster
}
const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'dbtls-embedded-'))
  folders.push(path)
  return join(path, 'state')
}
afterEach(() => {
  for (const cluster of open.splice(0)) cluster.close()
  for (const path of folders.splice(0)) rmSync(path, { recursive: true })
})

describe('the state folder', () => {
  it('keeps objects, versions and ownership from one run to the next', async () => {
    const directory = folder()
    const first = start(directory)
    const made = await first.apply(configMaps, object('a', { x: '1', y: '2' }), writer)
    first.close()
    const second = start(directory)
    expect(await second.get(configMaps, { namespace: 'n', name: 'a' })).toEqual(made)
    const smaller = await second.apply(configMaps, object('a', { x: '1' }), writer)
    expect(smaller.data).toEqual({ x: '1' })
    expect(Number(smaller.metadata.resourceVersion)).toBeGreaterThan(Number(made.metadata.resourceVersion))
  })
  it('is private, with everything in it', async () => {
    const directory = folder()
    await start(directory).create(configMaps, object('a'), writer)
    const mode = (name: string) => (statSync(join(directory, name)).mode & 0o777).toString(8)
    expect(mode('.')).toBe('700')
    for (const name of ['state.sqlite', 'state.sqlite-wal', 'lock']) expect(mode(name)).toBe('600')
  })
  it('belongs to one process, and says to whom', () => {
    const directory = folder()
    start(directory)
    expect(() => start(directory)).toThrow(StateInUse)
    expect(() => start(directory)).toThrow(`in use by another dbtls (process ${process.pid})`)
  })
  it('is free again after close', () => {
    const directory = folder()
    start(directory).close()
    expect(() => start(directory)).not.toThrow()
  })
  it('answers Expired to a watch from before the restart', async () => {
    const directory = folder()
    const first = start(directory)
    const { resourceVersion } = await first.list(configMaps)
    await first.create(configMaps, object('a'), writer)
    first.close()
    const events = start(directory).watch(configMaps, { resourceVersion })
    await expect(events.next()).rejects.toMatchObject({ status: 410 })
  })
  it('collects at the start what a crash kept the collector from', async () => {
    const directory = folder()
    const first = start(directory)
    const owner = await first.create(configMaps, object('owner'), writer)
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid ?? '' }]
    await first.create(configMaps, object('child', {}, { ownerReferences }), writer)
    const gone = first.delete(configMaps, { namespace: 'n', name: 'owner' })
    await gone
    // Before the collector's own transaction.
    first.close()
    const second = start(directory)
    await expect.poll(async () => (await second.list(configMaps)).items.length).toBe(0)
  })
  it('loses nothing that was acknowledged when the process is killed', async () => {
    const directory = folder()
    const child = spawn(process.execPath, ['--input-type=module', '-e', crashing(directory)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const acknowledged: string[] = []
    const ended = new Promise((resolve) => child.once('close', resolve))
    for await (const chunk of child.stdout) {
      acknowledged.push(...String(chunk).split('\n').filter(Boolean))
      if (acknowledged.length > 40) child.kill('SIGKILL')
    }
    await ended
    const { items } = await start(directory).list(configMaps)
    const names = new Set(items.map(({ metadata }) => metadata.name))
    expect(acknowledged.length).toBeGreaterThan(40)
    expect(acknowledged.filter((name) => !names.has(name))).toEqual([])
  })
})

const crashing = (directory: string): string => `
  const { EmbeddedCluster } = await import(${JSON.stringify(new URL('./cluster.ts', import.meta.url).href)})
  const { systemClock } = await import(${JSON.stringify(new URL('../../runtime/clock.ts', import.meta.url).href)})
  const resource = ${JSON.stringify(configMaps)}
  const cluster = new EmbeddedCluster({ directory: ${JSON.stringify(directory)}, kinds: [{ resource }], clock: systemClock() })
  for (let i = 0; ; i += 4)
    await Promise.all([0, 1, 2, 3].map(async (j) => {
      const name = 'object-' + (i + j)
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'n', name }, data: {} }
      await cluster.create(resource, object, { fieldManager: 'child' })
      process.stdout.write(name + '\\n')
    }))
`

describe('namespaces', () => {
  it('come into being with their first object', async () => {
    const cluster = start()
    await cluster.create(configMaps, object('a'), writer)
    const namespaces: Resource = {
      group: '',
      version: 'v1',
      plural: 'namespaces',
      kind: 'Namespace',
      namespaced: false,
    }
    const { metadata } = await cluster.get(namespaces, { name: 'n' })
    expect(metadata.labels).toEqual({ 'kubernetes.io/metadata.name': 'n' })
  })
  it('take their objects along', async () => {
    const cluster = start()
    await cluster.create(configMaps, object('a'), writer)
    const namespaces: Resource = {
      group: '',
      version: 'v1',
      plural: 'namespaces',
      kind: 'Namespace',
      namespaced: false,
    }
    await cluster.delete(namespaces, { name: 'n' })
    expect((await cluster.list(configMaps)).items).toEqual([])
  })
})

describe('concurrent writes', () => {
  it('succeed and fail one by one, though they are committed together', async () => {
    const cluster = start()
    const results = await Promise.allSettled([
      cluster.create(configMaps, object('a'), writer),
      cluster.create(configMaps, object('a'), writer),
      cluster.create(configMaps, object('Bad Name'), writer),
      cluster.create(configMaps, object('b'), writer),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    expect((await cluster.list(configMaps)).items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b'])
  })
  it('let one of several stale updates through', async () => {
    const cluster = start()
    const made = await cluster.create(configMaps, object('a'), writer)
    const updates = Array.from({ length: 5 }, (_, i) =>
      cluster.update(configMaps, { ...made, data: { winner: String(i) } }, writer),
    )
    const results = await Promise.allSettled(updates)
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
  it('are finished by close, and refused after it', async () => {
    const directory = folder()
    const cluster = start(directory)
    const pending = cluster.create(configMaps, object('last'), writer)
    cluster.close()
    await pending
    await expect(cluster.create(configMaps, object('late'), writer)).rejects.toMatchObject({ status: 503 })
    expect((await start(directory).list(configMaps)).items).toHaveLength(1)
  })
})

describe('watch', () => {
  it('sends bookmarks of the present version while nothing happens', async () => {
    const clock = new ManualClock()
    const cluster = start(undefined, undefined, clock)
    const events = cluster.watch(configMaps, { resourceVersion: (await cluster.list(configMaps)).resourceVersion })
    const first = events.next()
    await clock.advance(60_000)
    expect((await first).value).toMatchObject({ type: 'BOOKMARK', initialEventsEnd: false })
    await events.return()
  })
  it('answers Expired beyond its window, and to the pages of a list from then', async () => {
    const cluster = start(undefined, 2)
    for (const name of ['a', 'b', 'c']) await cluster.create(configMaps, object(name), writer)
    const page = await cluster.list(configMaps, { limit: 1 })
    for (let i = 0; i < 10; i += 1) await cluster.apply(configMaps, object('a', { i: String(i) }), writer)
    const events = cluster.watch(configMaps, { resourceVersion: page.resourceVersion })
    await expect(events.next()).rejects.toMatchObject({ status: 410, reason: 'Expired' })
    const next = cluster.list(configMaps, { limit: 1, continue: page.continue ?? '' })
    await expect(next).rejects.toMatchObject({ status: 410 })
  })
  it('hands out objects that nobody can change for the others', async () => {
    const cluster = start()
    const events = cluster.watch(configMaps, { resourceVersion: (await cluster.list(configMaps)).resourceVersion })
    await cluster.create(configMaps, object('a', { x: '1' }), writer)
    const { value } = await events.next()
    expect(Object.isFrozen((value as { object: Data }).object.data)).toBe(true)
    await events.return()
  })
  it('brings a listener from any list to the state of any later one', async () => {
    const step = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      label: fc.constantFrom('yes', 'no'),
      gone: fc.boolean(),
    })
    const property = fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.nat(), async (steps, at) => {
      const cluster = start()
      const selection = { labelSelector: 'seen=yes' }
      const seen = new Map<string, string>()
      let resourceVersion = ''
      for (const [i, { name, label, gone }] of steps.entries()) {
        if (i === at % steps.length) {
          const listed = await cluster.list(configMaps, selection)
          resourceVersion = listed.resourceVersion
          for (const { metadata } of listed.items) seen.set(metadata.name, metadata.resourceVersion ?? '')
        }
        if (gone) await cluster.delete(configMaps, { namespace: 'n', name }).catch(() => {})
        else await cluster.apply(configMaps, object(name, { i: String(i) }, { labels: { seen: label } }), writer)
      }
      if (resourceVersion === '') return
      await cluster.create(configMaps, object('end', {}, { labels: { seen: 'yes' } }), writer)
      await follow(seen, cluster.watch(configMaps, { ...selection, resourceVersion }))
      const { items } = await cluster.list(configMaps, selection)
      const wanted = items.map(({ metadata }) => [metadata.name, metadata.resourceVersion] as const)
      expect(seen).toEqual(new Map(wanted))
      cluster.close()
    })
    await fc.assert(property, { numRuns: 60 })
  })
})

const follow = async (seen: Map<string, string>, events: AsyncIterable<WatchEvent<Data>>): Promise<void> => {
  for await (const event of events) {
    if (event.type === 'BOOKMARK') continue
    const { name, resourceVersion = '' } = event.object.metadata
    if (event.type === 'DELETED') expect(seen.delete(name)).toBe(true)
    else {
      expect(seen.has(name)).toBe(event.type === 'MODIFIED')
      seen.set(name, resourceVersion)
    }
    if (name === 'end') return
  }
}

describe('appliedBy', () => {
  it('finds what a manager owns by apply', async () => {
    const cluster = start()
    await cluster.apply(configMaps, object('mine'), { fieldManager: 'me' })
    await cluster.apply(configMaps, object('theirs'), { fieldManager: 'them' })
    await cluster.create(configMaps, object('created'), { fieldManager: 'me' })
    expect(cluster.appliedBy('me').map((one) => one.object.metadata.name)).toEqual(['mine'])
  })
  it.each([123, true, ['a'], { b: 'c' }])('refuses stringData that is %j, as the API server does', async (value) => {
    const secrets: Resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true }
    const cluster = new EmbeddedCluster({ kinds: [{ resource: secrets }], clock: new ManualClock() })
    open.push(cluster)
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: 'n', name: 's' },
      stringData: { a: value },
    }
    await expect(cluster.create(secrets, secret, writer)).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('Secret.stringData[a] of type string') as unknown,
    })
  })
})
