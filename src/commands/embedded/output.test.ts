import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { readFile, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { OutputObject } from './output.ts'
import { OutputError, OutputFolder } from './output.ts'

let root = ''
let folder = new OutputFolder('', () => '')
beforeEach(() => {
  root = join(mkdtempSync(join(tmpdir(), 'dbtls-output-')), 'out')
  let count = 0
  folder = new OutputFolder(root, () => String((count += 1)))
})
afterEach(() => rmSync(join(root, '..'), { recursive: true }))

const object = (data: Record<string, string>, change: Partial<OutputObject> = {}): OutputObject => ({
  kind: 'secret',
  namespace: 'n',
  name: 's',
  data: new Map(Object.entries(data).map(([key, text]) => [key, Buffer.from(text)])),
  ...change,
})
const mode = (path: string): string => (statSync(join(root, path)).mode & 0o777).toString(8)

describe('OutputFolder', () => {
  it('writes OUT/<namespace>/secret/<name>/<key>, for the owner alone', async () => {
    expect(await folder.write(object({ 'tls.crt': 'a', 'tls.key': 'b' }))).toBe(true)
    expect(readFileSync(join(root, 'n/secret/s/tls.key'), 'utf8')).toBe('b')
    expect([mode('.'), mode('n'), mode('n/secret'), mode('n/secret/s'), mode('n/secret/s/tls.key')]).toEqual([
      '700',
      '700',
      '700',
      '700',
      '600',
    ])
  })
  it('does not write again what stands there, and mends what was changed', async () => {
    await folder.write(object({ a: '1' }))
    expect(await folder.write(object({ a: '1' }))).toBe(false)
    writeFileSync(join(root, 'n/secret/s/a'), 'by hand')
    expect(await folder.write(object({ a: '1' }))).toBe(true)
    expect(readFileSync(join(root, 'n/secret/s/a'), 'utf8')).toBe('1')
  })
  it('drops keys that are gone, and keeps no former generation', async () => {
    await folder.write(object({ a: '1', b: '2' }))
    await folder.write(object({ a: '3' }))
    expect(readdirSync(join(root, 'n/secret/s'))).toEqual(['a'])
    expect(readdirSync(join(root, '.generations/n/secret/s'))).toHaveLength(1)
  })
  it('never shows a reader who resolved the folder two generations at once', async () => {
    await folder.write(object({ a: '0', b: '0' }))
    const stop = new AbortController()
    const seen = new Set<string>()
    const reader = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        try {
          const generation = await realpath(join(root, 'n/secret/s'))
          const [a, b] = await Promise.all([
            readFile(join(generation, 'a'), 'utf8'),
            readFile(join(generation, 'b'), 'utf8'),
          ])
          expect(a).toBe(b)
          seen.add(a)
        } catch (error) {
          // Resolved just before it went: a reader looks again.
          expect((error as NodeJS.ErrnoException).code).toBe('ENOENT')
        }
      }
    }
    const reading = reader()
    for (let i = 1; i <= 100; i += 1) await folder.write(object({ a: String(i), b: String(i) }))
    stop.abort()
    await reading
    expect(seen.size).toBeGreaterThan(1)
  })
  it('removes an object, and those of former runs that nobody wants', async () => {
    await folder.write(object({ a: '1' }))
    await folder.write(object({ a: '1' }, { name: 'old' }))
    await folder.write(object({ a: '1' }, { name: 'm', kind: 'configmap' }))
    await folder.keepOnly(new Set([folder.pathOf(object({}))]))
    expect(readdirSync(join(root, 'n/secret'))).toEqual(['s'])
    await folder.remove(object({}))
    expect(readdirSync(join(root, 'n/secret'))).toEqual([])
    expect(readdirSync(join(root, 'n/configmap'))).toEqual([])
  })
  it.each<[string, Partial<OutputObject>]>([
    ['a namespace', { namespace: '..' }],
    ['a name', { name: '../../etc' }],
    ['a name with a slash', { name: 'a/b' }],
    ['a key', { data: new Map([['../x', Buffer.from('')]]) }],
    ['a key of two dots', { data: new Map([['..', Buffer.from('')]]) }],
    ['a key with NUL', { data: new Map([['a\0b', Buffer.from('')]]) }],
  ])('refuses %s that would lead out of the folder', async (_, change) => {
    await expect(folder.write(object({}, change))).rejects.toThrow(OutputError)
  })
  it('touches nothing that it did not make', async () => {
    mkdirSync(join(root, 'n/secret/s'), { recursive: true })
    writeFileSync(join(root, 'n/secret/s/mine'), 'mine')
    await expect(folder.write(object({ a: '1' }))).rejects.toThrow('is in the way')
    await expect(folder.remove(object({}))).rejects.toThrow('is in the way')
    expect(readFileSync(join(root, 'n/secret/s/mine'), 'utf8')).toBe('mine')
  })
  it('does not follow a link in the place of a folder', async () => {
    mkdirSync(join(root, 'elsewhere'), { recursive: true })
    symlinkSync(join(root, 'elsewhere'), join(root, 'n'))
    await expect(folder.write(object({ a: '1' }))).rejects.toThrow('is in the way')
    expect(readdirSync(join(root, 'elsewhere'))).toEqual([])
    expect(lstatSync(join(root, 'n')).isSymbolicLink()).toBe(true)
  })
})
