import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EmbeddedCluster } from '../../cluster/embedded/cluster.ts'
import { configMaps } from '../../resources/core.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { embeddedKinds } from '../shared/embedded-kinds.ts'
import { ManifestFolder } from './manifest-folder.ts'
import { identityOf, problemText } from './manifests.ts'

let path = ''
let clock = new ManualClock()
let cluster: EmbeddedCluster
let folder: ManifestFolder
let told: string[] = []

const make = (): ManifestFolder =>
  new ManifestFolder({
    paths: [path],
    cluster,
    clock,
    report: {
      applied: ({ object }, outcome) => told.push(`${outcome} ${object.metadata.name}`),
      removed: (object) => told.push(`removed ${object.metadata.name}`),
      refused: (problem) => told.push(`refused ${problemText(problem).slice(path.length + 1)}`),
      warned: (problem) => told.push(`warned ${problemText(problem)}`),
      note: (message) => told.push(`note ${message}`),
    },
  })

const map = (name: string, value = '1'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {a: "${value}"}\n`
const put = (file: string, text: string): void => writeFileSync(join(path, file), text)
const names = async (): Promise<string[]> => (await cluster.list(configMaps)).items.map(identityOf)
const since = (): string[] => told.splice(0)

beforeEach(async () => {
  path = mkdtempSync(join(tmpdir(), 'dbtls-folder-'))
  clock = new ManualClock()
  told = []
  cluster = new EmbeddedCluster({ kinds: embeddedKinds(), clock })
  put('a.yaml', map('a'))
  put('b.yaml', map('b'))
  folder = make()
  await folder.sync()
})
afterEach(async () => {
  await folder.stop()
  cluster.close()
  rmSync(path, { recursive: true })
})

describe('ManifestFolder', () => {
  it('applies what is new and what changed, and tells of nothing else', async () => {
    expect(since().toSorted()).toEqual(['created a', 'created b'])
    put('a.yaml', map('a', '2'))
    await folder.sync()
    await folder.sync()
    expect(since()).toEqual(['changed a'])
  })
  it('removes an object whose manifest stays away, not one whose file is just being written', async () => {
    since()
    rmSync(join(path, 'a.yaml'))
    await folder.sync()
    expect(since()).toEqual([])
    put('a.yaml', map('a'))
    await folder.sync()
    expect(await names()).toEqual(['ConfigMap/default/a', 'ConfigMap/default/b'])
    rmSync(join(path, 'a.yaml'))
    await folder.sync()
    await folder.sync()
    expect(since()).toEqual(['removed a'])
  })
  it('removes after a restart what it had applied before, and nothing else', async () => {
    await cluster.create(
      configMaps,
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'default', name: 'foreign' } },
      { fieldManager: 'somebody' },
    )
    rmSync(join(path, 'a.yaml'))
    const restarted = make()
    await restarted.sync()
    await restarted.sync()
    expect(await names()).toEqual(['ConfigMap/default/b', 'ConfigMap/default/foreign'])
    await restarted.stop()
  })
  it('removes nothing while a file cannot be read, and says so once', async () => {
    since()
    rmSync(join(path, 'a.yaml'))
    put('b.yaml', 'a: [\n')
    for (let i = 0; i < 3; i += 1) await folder.sync()
    expect(await names()).toHaveLength(2)
    const [refused, note, ...rest] = since()
    expect(refused).toMatch(/^refused b\.yaml:/)
    expect(note).toMatch(/^note kept .*ConfigMap\/default\/a.*nothing is removed while .*b\.yaml cannot be read/)
    expect(rest).toEqual([])
  })
  it('removes nothing when the whole folder is empty or gone', async () => {
    since()
    rmSync(join(path, 'a.yaml'))
    rmSync(join(path, 'b.yaml'))
    for (let i = 0; i < 3; i += 1) await folder.sync()
    expect(await names()).toHaveLength(2)
    expect(since()).toHaveLength(1)
  })
  it('keeps the object as it was when its manifest becomes invalid, with the line of the field', async () => {
    since()
    put('a.yaml', map('a').replace('a: "1"', 'a/b: "1"'))
    await folder.sync()
    expect(since()).toEqual([
      'refused a.yaml:4: data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, "-", "_" or "."',
    ])
    expect((await cluster.get(configMaps, { namespace: 'default', name: 'a' })).data).toEqual({ a: '1' })
  })
  it('follows changes of the files by itself', async () => {
    since()
    await folder.start()
    put('a.yaml', map('a', 'new'))
    await expect
      .poll(
        async () => {
          await clock.advance(2000)
          return since()
        },
        { timeout: 5000 },
      )
      .toContain('changed a')
  })
})
