import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EmbeddedCluster } from '../../cluster/embedded/cluster.ts'
import { marks } from '../../control/context.ts'
import type { Secret } from '../../resources/core.ts'
import { secrets } from '../../resources/core.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { embeddedKinds } from '../shared/embedded-kinds.ts'
import { Exporter } from './exporter.ts'
import { OutputFolder } from './output.ts'

let root = ''
let told: string[] = []
let cluster: EmbeddedCluster
let exporter: Exporter

const secret: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace: 'n', name: 's', labels: { [marks.managedBy]: marks.managedByValue } },
  data: { key: Buffer.from('value').toString('base64') },
}
const file = (): string => join(root, 'n/secret/s/key')
const create = () => cluster.create(secrets, secret, { fieldManager: 'test' })
const tell = (verb: string) => (text: string) => told.push(`${verb} ${text.replaceAll(root, 'OUT')}`)

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'dbtls-exporter-'))
  told = []
  const clock = new ManualClock()
  cluster = new EmbeddedCluster({ kinds: embeddedKinds(), clock })
  let count = 0
  exporter = new Exporter({
    cluster,
    clock,
    folder: new OutputFolder(root, () => String((count += 1))),
    includeAuthorityKeys: false,
    report: { wrote: (_, path) => tell('wrote')(path), withdrew: tell('withdrew'), failed: tell('failed') },
  })
  await exporter.start()
})
afterEach(async () => {
  await exporter.stop()
  cluster.close()
  rmSync(root, { recursive: true })
})

describe('Exporter', () => {
  it.each<[string, () => void]>([
    ['a file deleted', () => rmSync(file())],
    ['a file changed in place', () => writeFileSync(file(), 'other')],
    ['a folder deleted', () => rmSync(join(root, 'n'), { recursive: true })],
    ['the generations deleted', () => rmSync(join(root, '.generations'), { recursive: true })],
  ])('writes again after %s', async (_, spoil) => {
    await create()
    await expect.poll(() => told).toEqual(['wrote OUT/n/secret/s'])
    spoil()
    await exporter.inspect()
    expect(readFileSync(file(), 'utf8')).toBe('value')
    expect(told).toHaveLength(2)
    await exporter.inspect()
    expect(told).toHaveLength(2)
  })
  it('tells once of a Secret it cannot write, counts it as failed, and writes it when it can', async () => {
    writeFileSync(join(root, 'n'), 'in the way')
    await create()
    await expect.poll(() => exporter.failures).toHaveLength(1)
    await exporter.inspect()
    expect(told.map((text) => text.split(' ')[0])).toEqual(['failed'])
    rmSync(join(root, 'n'))
    await exporter.inspect()
    expect(readFileSync(file(), 'utf8')).toBe('value')
    expect(exporter.failures).toEqual([])
  })
  it('forgets a Secret that is gone before it could be written', async () => {
    writeFileSync(join(root, 'n'), 'in the way')
    await create()
    await expect.poll(() => exporter.failures).toHaveLength(1)
    await cluster.delete(secrets, secret.metadata)
    rmSync(join(root, 'n'))
    await exporter.inspect()
    expect(exporter.failures).toEqual([])
    expect(existsSync(file())).toBe(false)
  })
})
