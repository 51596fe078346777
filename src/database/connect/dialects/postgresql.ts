/**
 * PostgreSQL (and PgBouncer, CockroachDB): SSLRequest, or TLS at once with ALPN since 17.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

import { FaultError } from '../fault.ts'
import { printable, WireError, WireReader } from '../wire.ts'
import type { Dialect, Greeted, Question } from './dialect.ts'

const protocol3 = 0x0003_0000
const sslRequest = Buffer.of(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f)
const mostBytes = 4096

const letter = (byte: number | undefined): string => String.fromCharCode(byte ?? 0)

/** Fields of an ErrorResponse: a letter and a text each, up to a zero. */
const errorFields = (contents: Uint8Array): ReadonlyMap<string, string> => {
  const reader = new WireReader(contents)
  const fields = new Map<string, string>()
  while (reader.left > 0) {
    const type = reader.number(1)
    if (type === 0) break
    fields.set(letter(type), reader.text())
  }
  return fields
}

interface Message {
  readonly type: string
  readonly contents: Buffer
  readonly length: number
}

const messageOf = (said: Uint8Array): Message | undefined => {
  if (said.length < 5) return undefined
  const reader = new WireReader(said)
  const type = letter(reader.number(1))
  const length = reader.number(4)
  if (length < 4 || length > mostBytes) throw new WireError(`a message of ${length} bytes is none of PostgreSQL's here`)
  return reader.left < length - 4 ? undefined : { type, contents: reader.take(length - 4), length: length + 1 }
}

/** A full or starting server says so instead of answering the SSLRequest; one before 7.0 in words alone. */
const refusal = (said: Uint8Array): undefined => {
  const message = messageOf(said)
  if (message === undefined) return undefined
  const fields = errorFields(message.contents)
  const code = fields.get('C') ?? ''
  const busy = code.startsWith('53') || code.startsWith('57P0')
  const text = printable(Buffer.from(fields.get('M') ?? '', 'latin1'))
  throw new FaultError(busy ? 'Busy' : 'ServerError', `the server says error ${printable(Buffer.from(code))}: ${text}`)
}

const read = (said: Uint8Array): Greeted | undefined => {
  if (said.length === 0) return undefined
  const answer = letter(said[0])
  if (answer === 'S') return { length: 1 }
  if (answer === 'N') throw new FaultError('TLSOff', 'the server has TLS switched off (ssl = off)')
  if (answer === 'E') return refusal(said)
  throw new WireError('it does not answer an SSLRequest as PostgreSQL does')
}

const question: Question = {
  /** A startup: an answer of any kind, also "no such role", comes after the handshake was taken. */
  ask({ user }) {
    const parameters = Buffer.from(`user\0${user}\0database\0postgres\0\0`, 'utf8')
    const head = Buffer.alloc(8)
    head.writeUInt32BE(parameters.length + 8, 0)
    head.writeUInt32BE(protocol3, 4)
    return Buffer.concat([head, parameters])
  },
  read(said) {
    const message = messageOf(said)
    if (message === undefined) return undefined
    if (message.type === 'E')
      return { words: `error ${printable(Buffer.from(errorFields(message.contents).get('C') ?? ''), 5)}`, proves: true }
    if (message.type !== 'R' && message.type !== 'v' && message.type !== 'N')
      throw new WireError('its answer is no message of PostgreSQL')
    return { words: message.type === 'R' ? 'asks for a login' : 'answers', proves: true }
  },
}

export const postgresql: Dialect = { preamble: { opening: sslRequest, mostBytes, read }, question }

export const postgresqlDirect: Dialect = { alpn: ['postgresql'], question }
