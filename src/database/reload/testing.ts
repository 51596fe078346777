/** A server that speaks enough of MongoDB's protocol for one command. Not imported by the program. */

import mongodb from 'mongodb'
import type { TLSSocket } from 'node:tls'
import { type Pair, pemOf, serve, startTls, type TestServer } from '../connect/testing.ts'
import type { Authority } from '../../pki/testing.ts'

type Document = Readonly<Record<string, unknown>>

interface MongoServer extends TestServer {
  /** Every command, in order, as the server read it. */
  readonly commands: readonly Document[]
}

/** `answer` gives the reply of a command, or undefined for `{ok: 1}`; it asks for a client certificate of `authority`. */
export const mongoServer = async (
  authority: Authority,
  pair: Pair,
  answer: (command: Document) => Document | undefined = () => undefined,
): Promise<MongoServer> => {
  const commands: Document[] = []
  const reply = (command: Document): Document => {
    commands.push(command)
    const greeting = 'hello' in command || 'ismaster' in command || 'isMaster' in command
    return answer(command) ?? (greeting ? hello : { ok: 1 })
  }
  const options = { cert: pair.chain, key: pair.key, ca: pemOf(authority), requestCert: true, rejectUnauthorized: true }
  const server = await serve((socket) => startTls(socket, { options, onSecure: (tls) => converse(tls, reply) }))
  return Object.assign(server, { commands })
}

const hello = {
  ...{ ok: 1, isWritablePrimary: true, ismaster: true, helloOk: true, maxBsonObjectSize: 16_777_216 },
  ...{ maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000, minWireVersion: 0, maxWireVersion: 25 },
} as const

/** https://github.com/mongodb/specifications/blob/master/source/message/OP_MSG.md; the first hello comes as OP_QUERY. */
const opReply = 1
const opQuery = 2004
const opMessage = 2013

const converse = (tls: TLSSocket, reply: (command: Document) => Document): void => {
  let heard = Buffer.alloc(0)
  tls.on('data', (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk])
    while (heard.length >= 16 && heard.length >= heard.readInt32LE(0)) {
      const message = heard.subarray(0, heard.readInt32LE(0))
      heard = heard.subarray(message.length)
      tls.write(answerTo(message, reply))
    }
  })
}

const answerTo = (message: Buffer, reply: (command: Document) => Document): Buffer => {
  const [id, opCode] = [message.readInt32LE(4), message.readInt32LE(12)]
  // OP_QUERY: flags, full collection name as a C string, numberToSkip, numberToReturn. OP_MSG: flags, then a section of kind 0.
  const at = opCode === opQuery ? message.indexOf(0, 20) + 9 : 21
  const command = mongodb.BSON.deserialize(message.subarray(at, at + message.readInt32LE(at)))
  const document = Buffer.from(mongodb.BSON.serialize(reply(command)))
  const [code, head] =
    opCode === opQuery
      ? [opReply, Buffer.concat([Buffer.alloc(16), Buffer.of(1, 0, 0, 0)])]
      : [opMessage, Buffer.alloc(5)]
  const header = Buffer.alloc(16)
  for (const [index, value] of [16 + head.length + document.length, 1, id, code].entries())
    header.writeInt32LE(value, index * 4)
  return Buffer.concat([header, head, document])
}
