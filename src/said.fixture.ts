/** What a program says anywhere, searched for the secrets it was given, in whatever form. For tests; not imported by the program. */

import { createPrivateKey } from 'node:crypto'
import { inspect } from 'node:util'
import type { Secret } from './resources/core.ts'
import type { Fields, Logger } from './runtime/log.ts'

/** Shorter ones would be found by chance. */
const leastLength = 12

/** In hex, and in base64 at whatever place among other bytes. */
const formsOf = (bytes: Uint8Array): string[] => {
  const hex = Buffer.from(bytes).toString('hex')
  const base64 = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    // A digit that is made of other bytes, too, may be any.
    return text.slice(before === 0 ? 0 : before + 1, Math.floor(((before + bytes.length) * 8) / 6))
  })
  const forUrls = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))
  return [hex, hex.toUpperCase(), ...base64, ...forUrls]
}

/** The numbers that are the secret of a key: they stand in each of its encodings. */
const numbersOf = (pem: string, passphrases: readonly string[]): Buffer[] => {
  for (const passphrase of [undefined, ...passphrases])
    try {
      const key = createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) })
      const { d, p, q } = key.export({ format: 'jwk' })
      return [d, p, q].flatMap((number) => (number === undefined ? [] : [Buffer.from(number, 'base64url')]))
    } catch {
      // Not of this passphrase, or broken.
    }
  return []
}

const block = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----/g

/** Line ends may be escaped, once or more. */
const joined = (text: string): string => text.replace(/\\+[nr]|\s/g, '')

/** With what stands in it in base64, as a file does in a Secret; nobody knows where that begins. */
const decoded = (text: string): string =>
  [...text.matchAll(/[\w+/-]{40,}/g)]
    .flatMap(([run]) => [0, 1, 2, 3].map((from) => Buffer.from(run.slice(from), 'base64').toString('latin1')))
    .join(' ')

/** Everything of these that nobody may say. */
export class Canaries {
  readonly #passwords = new Set<string>()
  readonly #blocks = new Set<string>()

  /** What the values of a Secret are is seen from their keys and from themselves. */
  learn({ data = {} }: Pick<Secret, 'data'>): void {
    for (const [key, value] of Object.entries(data)) {
      const text = Buffer.from(value, 'base64').toString()
      if (/pass(?:word|phrase)/i.test(key) && text.length >= leastLength) this.#passwords.add(text)
      for (const [pem] of text.matchAll(block)) this.#blocks.add(pem)
    }
  }

  /** How many keys and passwords. */
  get size(): number {
    return this.#blocks.size + this.#passwords.size
  }

  /** Where something of them, or PEM of any key, is said: its beginning, and the name of what it is in. */
  foundIn(said: Iterable<readonly [name: string, text: string]>): string[] {
    const parts = this.#parts()
    return [...said].flatMap(([name, text]) => {
      const whole = joined(`${text} ${decoded(text)}`)
      const found = parts.filter((part) => whole.includes(part))
      return [...found, ...(/PRIVATEKEY-----/.exec(whole) ?? [])].map((part) => `${part.slice(0, 8)}… in ${name}`)
    })
  }

  #parts(): string[] {
    const passwords = [...this.#passwords]
    const parts = new Set(passwords.flatMap((text) => [text, ...formsOf(Buffer.from(text))]))
    for (const pem of this.#blocks) {
      for (const number of numbersOf(pem, passwords)) for (const form of formsOf(number)) parts.add(form)
      // Of others the end of a block is the public key, which may be said.
      const lines = pem.includes('ENCRYPTED') ? pem.split('\n').slice(2, -1) : []
      for (const line of lines) if (line.length >= leastLength) parts.add(line)
    }
    return [...parts]
  }
}

/** Keeps what it is told, before anything is taken out of it. */
export const recordingLogger = (entries: string[], bound: Fields = {}): Logger => {
  const note = (message: string, fields?: Fields): void => {
    const all = { ...bound, ...fields }
    entries.push(`${message} ${inspect(all, { depth: 12, maxArrayLength: null, maxStringLength: null })}`)
  }
  return {
    ...{ debug: note, info: note, warn: note, error: note },
    child: (fields) => recordingLogger(entries, { ...bound, ...fields }),
  }
}
