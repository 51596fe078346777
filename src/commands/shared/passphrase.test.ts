import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Io } from './io.ts'
import { readPassphrase } from './passphrase.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-passphrase-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A terminal on which `typed` comes in these pieces; records what it was told. */
const terminal = (...typed: string[]) => {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (mode: boolean) => modes.push(mode) })
  const modes: boolean[] = []
  const stderr = new PassThrough()
  for (const piece of typed) setImmediate(() => stdin.write(piece))
  const io = { stdin, stderr, stdout: new PassThrough(), env: {} } as unknown as Io
  return { io, modes, shown: (): string => String(stderr.read() ?? ''), stdin }
}
const asked = { file: undefined, prompt: 'Passphrase' }

describe('a passphrase', () => {
  it('comes from a file, without the newline an editor adds', async () => {
    const file = join(folder, 'p')
    writeFileSync(file, 'with space \n\n')
    expect(await readPassphrase(terminal().io, { ...asked, file })).toBe('with space \n')
  })
  it.each([
    ['', 'is empty'],
    ['\n', 'is empty'],
    ['a\0b', 'is not text'],
  ])('is refused as a file of %j', async (text, sentence) => {
    const file = join(folder, 'p')
    writeFileSync(file, text)
    await expect(readPassphrase(terminal().io, { ...asked, file })).rejects.toThrow(sentence)
  })
  it('comes from a pipe, as a shell makes one of <(…)', async () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const writer = spawn('sh', ['-c', 'echo piped > "$0"', pipe])
    expect(await readPassphrase(terminal().io, { ...asked, file: pipe })).toBe('piped')
    if (writer.exitCode === null) await once(writer, 'exit')
  })
  it.each([
    ['/dev/zero', 'is larger than 65536 bytes'],
    ['.', 'a folder is where a file should be'],
    ['missing', 'there is no such file'],
    ['passphrase.ts/below', 'a file is where a folder should be'],
  ])('is refused as %s, which is named', async (name, sentence) => {
    const file = resolve(import.meta.dirname, name)
    const wanted = `${file} of --passphrase-file`
    const refused = expect(readPassphrase(terminal().io, { ...asked, file })).rejects
    await refused.toThrow(wanted)
    await expect(readPassphrase(terminal().io, { ...asked, file })).rejects.toThrow(sentence)
  })
  it.each([
    ['at once', ['secret\r'], 'secret'],
    ['key by key', ['s', 'e', '\r'], 'se'],
    ['with corrections', ['sex\u007fc\br', 'et\n'], 'seret'],
    ['begun anew', ['wrong\u0015right\u0004'], 'right'],
  ])('is typed %s without being shown', async (_, typed, expected) => {
    const { io, modes, shown } = terminal(...typed)
    expect(await readPassphrase(io, asked)).toBe(expected)
    expect([shown(), modes]).toEqual(['Passphrase: \n', [true, false]])
  })
  it('is asked for twice where nothing could open it later', async () => {
    expect(await readPassphrase(terminal('one\rone\r').io, { ...asked, confirm: true })).toBe('one')
    await expect(readPassphrase(terminal('one\r', 'two\r').io, { ...asked, confirm: true })).rejects.toThrow('differ')
  })
  it('can be refused with Ctrl-C, and the terminal is as before', async () => {
    const { io, modes } = terminal('sec\u0003')
    await expect(readPassphrase(io, asked)).rejects.toThrow('interrupted')
    expect(modes).toEqual([true, false])
  })
  it('ends with its terminal', async () => {
    const { io, stdin } = terminal()
    setImmediate(() => stdin.end())
    await expect(readPassphrase(io, asked)).rejects.toThrow('closed')
  })
  it('is never guessed where nobody can type it', async () => {
    const io = { ...terminal().io, stdin: undefined } as unknown as Io
    await expect(readPassphrase(io, asked)).rejects.toThrow('Passphrase is needed: name a file')
  })
})
