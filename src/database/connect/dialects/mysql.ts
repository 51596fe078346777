/**
 * MySQL and MariaDB (and TiDB): the server greets, the client asks for TLS in the middle of its login.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
 */

import { FaultError, type FaultReason } from '../fault.ts'
import { printable, WireError, WireReader } from '../wire.ts'
import type { Dialect, Greeted } from './dialect.ts'

const capability = {
  protocol41: 0x0000_0200,
  ssl: 0x0000_0800,
  transactions: 0x0000_2000,
  secureConnection: 0x0000_8000,
  pluginAuth: 0x0008_0000,
} as const
const wanted = Object.values(capability).reduce((sum, bit) => sum | bit, 0)
const utf8mb4 = 45
/** The greeting is a good hundred bytes; an error packet holds at most 512 characters. */
const mostBytes = 4096

const packet = (sequence: number, payload: Uint8Array): Buffer => {
  const header = Buffer.alloc(4)
  header.writeUIntLE(payload.length, 0, 3)
  header[3] = sequence
  return Buffer.concat([header, payload])
}

/** Capabilities, most packet size, character set and 23 reserved bytes: the SSLRequest, and the head of the login. */
const loginHead = (capabilities: number): Buffer => {
  const head = Buffer.alloc(32)
  head.writeUInt32LE(capabilities, 0)
  head.writeUInt32LE(0x0100_0000, 4)
  head[8] = utf8mb4
  return head
}

/** The payload of the packet at the front, or undefined where it is not whole. */
const payloadOf = (said: Uint8Array): Buffer | undefined => {
  if (said.length < 4) return undefined
  const reader = new WireReader(said)
  const length = reader.numberLE(3)
  if (length === 0 || length > mostBytes - 4)
    throw new WireError(`its first packet of ${length} bytes is no MySQL greeting`)
  reader.take(1)
  return reader.left < length ? undefined : reader.take(length)
}

/** https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html */
const reasons: Readonly<Record<number, FaultReason>> = {
  1040: 'Busy', // ER_CON_COUNT_ERROR
  1053: 'Busy', // ER_SERVER_SHUTDOWN
  1129: 'Blocked', // ER_HOST_IS_BLOCKED: max_connect_errors was reached
  1130: 'Blocked', // ER_HOST_NOT_PRIVILEGED
}

const errorOf = (payload: Buffer): { readonly code: number; readonly text: string } => {
  const reader = new WireReader(payload.subarray(1))
  const code = reader.numberLE(2)
  const message = reader.rest()
  return { code, text: printable(message[0] === 0x23 ? message.subarray(6) : message) }
}

/** The server's default login method, the last text of its greeting. */
const pluginOf = (payload: Buffer): string => {
  const end = payload.at(-1) === 0 ? payload.length - 1 : payload.length
  const name = payload.subarray(payload.lastIndexOf(0, end - 1) + 1, end).toString('latin1')
  if (!/^[a-zA-Z0-9_-]{1,64}$/.test(name))
    throw new WireError('its greeting does not end with the name of a login method')
  return name
}

const read = (said: Uint8Array): Greeted | undefined => {
  const payload = payloadOf(said)
  if (payload === undefined) return undefined
  if (payload[0] === 0xff) {
    const { code, text } = errorOf(payload)
    throw new FaultError(reasons[code] ?? 'ServerError', `the server says error ${code}: ${text}`)
  }
  const reader = new WireReader(payload)
  const version = reader.number(1)
  if (version !== 10) throw new WireError(`its first packet is of version ${version} of the MySQL protocol, not of 10`)
  reader.text()
  reader.take(4 + 8 + 1)
  const low = reader.numberLE(2)
  // Servers before 4.1 end here, and know no TLS of the kind.
  const high = reader.left < 5 ? 0 : new WireReader(reader.take(5).subarray(3)).numberLE(2)
  const capabilities = (low | (high << 16)) >>> 0
  if ((capabilities & capability.ssl) === 0 || (capabilities & capability.protocol41) === 0)
    throw new FaultError(
      'TLSOff',
      'the server offers no TLS: it was started without a certificate, or could not load it',
    )
  const common = wanted & capabilities
  return {
    length: payload.length + 4,
    reply: packet(1, loginHead(common)),
    memory: (common & capability.pluginAuth) === 0 ? `${common}` : `${common} ${pluginOf(payload)}`,
  }
}

const comQuit = packet(0, Buffer.of(1))

export const mysql: Dialect = {
  preamble: { mostBytes, read },
  question: {
    // A connection closed before the login counts towards max_connect_errors, and 100 in a row block the prober's address.
    always: true,
    ask({ user, memory = '' }) {
      const [capabilities = '', plugin] = memory.split(' ')
      // The server's own default method: another would have it send AuthSwitch, and our close would count as broken handshake.
      const names = Buffer.from(`${user}\0\0${plugin === undefined ? '' : `${plugin}\0`}`, 'utf8')
      return packet(2, Buffer.concat([loginHead(Number(capabilities)), names]))
    },
    read(said) {
      const payload = payloadOf(said)
      if (payload === undefined) return undefined
      if (payload[0] === 0xff) return { words: `error ${errorOf(payload).code}`, proves: true }
      if (payload[0] === 0) return { words: 'login accepted', proves: true, farewell: comQuit }
      return { words: 'login goes on', proves: true }
    },
  },
}
