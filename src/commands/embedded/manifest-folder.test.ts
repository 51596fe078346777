import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EmbeddedCluster } from '../../cluster/embedded/cluster.ts'
import { configMaps } from '../../resources/core.ts'
import { issuedCertificates, type IssuedCertificate } from '../../resources/issued-certificate.ts'
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

describe('the manifest of an entry of the ledger', () => {
  const spec = {
    authorityRef: { name: 'ca', uid: 'u', fingerprint: 'f' },
    serialNumber: '0A',
    certificate: 'PEM',
  }
  const labels = { 'dbtls.dev/state': 'Valid' }
  const head = { apiVersion: 'dbtls.dev/v1alpha1', kind: 'IssuedCertificate' }
  const key = { name: 'ca-0a', namespace: 'data' }
  const entry = (): Promise<IssuedCertificate> => cluster.get(issuedCertificates, key)
  const revoking = (reason: string, more: object = {}): string =>
    JSON.stringify({ ...head, metadata: key, spec: { ...more, revocation: { reason } } })
  const settled = async (): Promise<void> => {
    for (let i = 0; i < 3; i += 1) await folder.sync()
  }

  const record = () =>
    cluster.create(
      issuedCertificates,
      { ...head, metadata: { ...key, labels }, spec },
      {
        fieldManager: 'dbtls',
      },
    )

  it('may be a revocation alone, and changes nothing else', async () => {
    await record()
    put('r.yaml', revoking('keyCompromise'))
    since()
    await folder.sync()
    expect(since()).toEqual(['changed ca-0a'])
    expect((await entry()).spec).toEqual({ ...spec, revocation: { reason: 'keyCompromise' } })
  })
  it('is refused with its line where the ledger does not have the entry', async () => {
    put('r.yaml', `\n\n${revoking('keyCompromise')}`)
    since()
    await folder.sync()
    expect(since()).toEqual([
      expect.stringMatching(/^refused r\.yaml:3: metadata\.name: Not found: "ca-0a": no ledger in namespace data /),
    ])
  })
  it('is held to the rules of a revocation', async () => {
    await record()
    put('r.yaml', revoking('boredom'))
    since()
    await folder.sync()
    expect(since()).toEqual([expect.stringMatching(/^refused r\.yaml:1: spec\.revocation\.reason: Unsupported value/)])
    expect((await entry()).spec).toEqual(spec)
  })
  it.each([
    { of: 'a hold', reason: 'certificateHold', more: {}, after: undefined, says: 'certificateHold is taken back' },
    { of: 'a revocation', reason: 'keyCompromise', more: {}, after: { reason: 'keyCompromise' }, says: 'is final' },
    { of: 'a whole entry', reason: 'certificateHold', more: spec, after: undefined, says: 'is taken back' },
  ])('takes $of along at most, and never the entry', async ({ reason, more, after, says }) => {
    const { metadata } = await record()
    put('r.yaml', revoking(reason, more))
    await settled()
    since()
    rmSync(join(path, 'r.yaml'))
    await settled()
    expect(since()).toEqual([expect.stringMatching(`^note kept IssuedCertificate data/ca-0a, .*${says}`)])
    const left = await entry()
    expect(left.metadata).toMatchObject({ uid: metadata.uid, labels })
    expect(left.spec).toEqual({ ...spec, ...(after === undefined ? {} : { revocation: after }) })
    put('r.yaml', revoking('keyCompromise'))
    await folder.sync()
    expect((await entry()).spec.revocation).toEqual({ reason: 'keyCompromise' })
  })
  it('that made the entry leaves it whole', async () => {
    put('r.yaml', revoking('keyCompromise', spec))
    await settled()
    const before = await entry()
    rmSync(join(path, 'r.yaml'))
    await settled()
    expect((await entry()).spec).toEqual(before.spec)
    expect(cluster.appliedBy('dbtls-manifests').map(({ object }) => object.metadata.name)).not.toContain('ca-0a')
  })
  it('that made a hold of others its own does not end theirs', async () => {
    await record()
    const held = { ...head, metadata: key, spec: { revocation: { reason: 'certificateHold' } } }
    await cluster.apply(issuedCertificates, held as unknown as IssuedCertificate, { fieldManager: 'kubectl' })
    put('r.yaml', revoking('certificateHold'))
    await settled()
    since()
    rmSync(join(path, 'r.yaml'))
    await settled()
    expect(since()).toEqual([expect.stringMatching('certificateHold is by others, too$')])
    expect((await entry()).spec.revocation).toEqual({ reason: 'certificateHold' })
  })
})
