/**
 * Passphrases and passwords: from a file, or asked for on the terminal without echo. Never the value of a flag or an
 * environment variable, which every process of the machine could read.
 */

import { createReadStream } from 'node:fs'
import { CommandError, isSystemError, systemErrorText } from './failures.ts'
import type { Io } from './io.ts'

export const passphraseFlags = { 'passphrase-file': { type: 'string' } } as const

export const passphraseUsage = `  --passphrase-file FILE    the passphrase; asked for on a terminal when it is not given
`

export interface Asked {
  /** The file's name, as the flag gave it. */
  readonly file: string | undefined
  /** The flag's name, for the sentence. */
  readonly flag?: string
  /** `Passphrase of the backup` */
  readonly prompt: string
  /** Asked for twice, because what is typed wrongly now could not be opened later. */
  readonly confirm?: boolean
}

/** Rejects with CommandError when there is neither a file nor a terminal, or when it is empty. */
export const readPassphrase = async (io: Io, asked: Asked): Promise<string> => {
  const { file, flag = 'passphrase-file', prompt, confirm = false } = asked
  if (file !== undefined) return fromFile(file, flag)
  if (io.stdin?.isTTY !== true)
    throw new CommandError(`${prompt} is needed: name a file that holds it with --${flag}, or run this on a terminal`)
  const typed = new TypedLines(io, io.stdin)
  const given = await typed.next(`${prompt}: `)
  if (given === '') throw new CommandError(`${prompt} must not be empty`)
  if (confirm && (await typed.next('Once more: ')) !== given)
    throw new CommandError('the two passphrases differ; nothing was done')
  return given
}

const mostBytes = 64 * 1024

/** Of a file, or of the pipe of `<(…)`, neither of which needs to end. */
const readSome = async (file: string, flag: string): Promise<string> => {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      size += chunk.length
      if (size > mostBytes) throw new CommandError(`${file} of --${flag} is larger than ${mostBytes} bytes`)
    }
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw new CommandError(`${file} of --${flag}: ${systemErrorText(error)}`, { cause: error })
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** One newline at the end is an editor's, as `kubectl create secret --from-file` keeps it. */
const fromFile = async (file: string, flag: string): Promise<string> => {
  const text = (await readSome(file, flag)).replace(/\r?\n$/, '')
  if (text === '') throw new CommandError(`${file} of --${flag} is empty`)
  if (text.includes('\0')) throw new CommandError(`${file} of --${flag} is not text`)
  return text
}

const keys = { interrupt: '\u0003', end: '\u0004', erase: new Set(['\b', '\u007f']), eraseAll: '\u0015' } as const

/** Lines typed on a terminal that shows none of it. */
class TypedLines {
  readonly #io: Io
  readonly #stdin: NodeJS.ReadStream
  /** Typed or pasted beyond the end of the line. */
  #ahead = ''

  constructor(io: Io, stdin: NodeJS.ReadStream) {
    this.#io = io
    this.#stdin = stdin
  }

  async next(prompt: string): Promise<string> {
    const { stderr } = this.#io
    stderr.write(prompt)
    this.#stdin.setRawMode(true)
    this.#stdin.setEncoding('utf8')
    try {
      return await this.#line()
    } finally {
      this.#stdin.setRawMode(false)
      this.#stdin.pause()
      stderr.write('\n')
    }
  }

  async #line(): Promise<string> {
    let text: string[] = []
    for (;;) {
      const typed = Array.from(this.#ahead === '' ? await nextKeys(this.#stdin) : this.#ahead)
      this.#ahead = ''
      for (const [at, key] of typed.entries()) {
        if (key === keys.interrupt) throw new CommandError('interrupted; nothing was done')
        if (key === '\r' || key === '\n' || key === keys.end) {
          this.#ahead = typed.slice(at + 1).join('')
          return text.join('')
        }
        if (key === keys.eraseAll) text = []
        else if (keys.erase.has(key)) text.pop()
        else text.push(key)
      }
    }
  }
}

const nextKeys = (stdin: NodeJS.ReadStream): Promise<string> =>
  new Promise((resolve, reject) => {
    const listeners = { data: (chunk: unknown) => finish(() => resolve(String(chunk))), end: closed, error: closed }
    function closed(): void {
      finish(() => reject(new CommandError('the terminal was closed; nothing was done')))
    }
    function finish(settle: () => void): void {
      for (const [event, listener] of Object.entries(listeners)) stdin.off(event, listener)
      stdin.pause()
      settle()
    }
    for (const [event, listener] of Object.entries(listeners)) stdin.on(event, listener)
    stdin.resume()
  })
