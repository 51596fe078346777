/** Protocols whose TLS begins at once; they differ in the question alone. */

import { printable, WireError, WireReader } from '../wire.ts'
import type { Answer, Dialect } from './dialect.ts'

const endOfLine = (said: Uint8Array, most: number): string | undefined => {
  const end = said.indexOf(0x0a)
  if (end < 0 && said.length < most) return undefined
  return printable(said.subarray(0, end < 0 ? most : end), most)
}

/** TLS and no more. */
export const plain: Dialect = {}

/** Redis, Valkey: https://redis.io/docs/latest/develop/reference/protocol-spec/ */
export const redis: Dialect = {
  question: {
    ask: () => Buffer.from('PING\r\n'),
    read(said) {
      const line = endOfLine(said, 200)
      // An error is no worse an answer: -NOAUTH is what most servers say.
      return line === undefined ? undefined : { words: line.split(' ')[0] ?? '', proves: /^[+-]/.test(line) }
    },
  },
}

/** Kafka: ApiVersions v0, which is allowed before SASL. https://kafka.apache.org/protocol.html#The_Messages_ApiVersions */
export const kafka: Dialect = {
  question: {
    ask: () => Buffer.of(0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff),
    read(said) {
      if (said.length < 10) return undefined
      const reader = new WireReader(said)
      reader.take(4)
      if (reader.number(4) !== 7) throw new WireError('its answer is to another question')
      return { words: `ApiVersions, error ${reader.number(2)}`, proves: true }
    },
  },
}

/** Cassandra: OPTIONS, which is allowed before the login. native_protocol_v4.spec §4.1.3, §4.2.4 */
export const cassandra: Dialect = {
  question: {
    ask: () => Buffer.of(4, 0, 0, 0, 5, 0, 0, 0, 0),
    read(said) {
      if (said.length < 9) return undefined
      const reader = new WireReader(said)
      if ((reader.number(1) & 0x80) === 0) throw new WireError('its answer is no frame of Cassandra')
      reader.take(3)
      const opcode = reader.number(1)
      return { words: opcode === 6 ? 'SUPPORTED' : `opcode ${opcode}`, proves: true }
    },
  },
}

/** nginx answers an untrusted certificate inside HTTP, with these; what others say in words proves nothing either way. */
const saysNothing = new Set([400, 495, 496])

const httpAnswer = (said: Uint8Array): Answer | undefined => {
  const line = endOfLine(said, 200)
  if (line === undefined) return undefined
  const status = Number(/^HTTP\/1\.[01] ([0-9]{3})\b/.exec(line)?.[1])
  if (Number.isNaN(status)) throw new WireError('its answer is not HTTP')
  return { words: `HTTP ${status}`, proves: !saysNothing.has(status) }
}

/** etcd, Elasticsearch, OpenSearch, ClickHouse (HTTPS), TiDB's status ports. */
export const http: Dialect = {
  question: {
    ask: ({ serverName }) =>
      Buffer.from(`GET /version HTTP/1.1\r\nHost: ${serverName || 'localhost'}\r\nConnection: close\r\n\r\n`, 'latin1'),
    read: httpAnswer,
  },
}

/** ZooKeeper: the one command that is in the default whitelist. */
export const zookeeper: Dialect = {
  question: {
    ask: () => Buffer.from('srvr'),
    read(said) {
      const line = endOfLine(said, 200)
      return line === undefined ? undefined : { words: line.split(':')[0]?.slice(0, 40) ?? '', proves: true }
    },
  },
}

/**
 * MongoDB: `hello` as an OP_MSG, allowed before authentication.
 * https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
 */
const mongodbHello = ((): Buffer => {
  const integer = (value: number): Buffer => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32LE(value)
    return bytes
  }
  const elements = Buffer.concat([Buffer.from('\x10hello\0'), integer(1), Buffer.from('\x02$db\0')])
  const database = Buffer.concat([integer(6), Buffer.from('admin\0')])
  const body = Buffer.concat([elements, database, Buffer.of(0)])
  const document = Buffer.concat([integer(body.length + 4), body])
  const message = Buffer.concat([integer(7), integer(0), integer(2013), integer(0), Buffer.of(0), document])
  return Buffer.concat([integer(message.length + 4), message])
})()

export const mongodb: Dialect = {
  question: {
    ask: () => mongodbHello,
    read(said) {
      if (said.length < 16) return undefined
      const reader = new WireReader(said)
      reader.take(8)
      const to = reader.numberLE(4)
      const opcode = reader.numberLE(4)
      if (to !== 7 || (opcode !== 2013 && opcode !== 1)) throw new WireError('its answer is no message of MongoDB')
      return { words: 'answers hello', proves: true }
    },
  },
}
