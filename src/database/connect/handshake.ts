/**
 * What a TLS handshake said, read from its recorded bytes. Node shows neither the CertificateRequest with its list of CAs, nor
 * whether our own certificate was really sent, nor the server's certificates when the handshake failed. TLS 1.2 says all three in
 * the clear (RFC 5246 §7.4); for TLS 1.3 the handshake's traffic secrets open it (RFC 8446 §5, §7.3).
 */

import { createDecipheriv, createHmac } from 'node:crypto'
import { brotliDecompressSync, inflateSync, zstdDecompressSync } from 'node:zlib'
import { WireError, WireReader } from './wire.ts'

export interface Handshake {
  /** Absent where no ServerHello came. */
  readonly tlsVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** As the server showed them, its own first; DER. */
  readonly certificates: readonly Uint8Array[]
  /** The server asked for a client certificate. Undefined where its flight was cut short. */
  readonly requested?: boolean
  /** DER Names of the CAs that the server names with its request; empty where it names none. */
  readonly acceptableIssuers: readonly Uint8Array[]
  /** We sent a certificate, not an empty list. */
  readonly offered: boolean
}

export interface Recording {
  readonly received: Uint8Array
  readonly sent: Uint8Array
  /** SERVER_HANDSHAKE_TRAFFIC_SECRET and CLIENT_HANDSHAKE_TRAFFIC_SECRET of the key log; absent in TLS 1.2. */
  readonly serverSecret?: Uint8Array | undefined
  readonly clientSecret?: Uint8Array | undefined
}

const recordType = { changeCipherSpec: 20, handshake: 22, applicationData: 23 } as const
const message = {
  serverHello: 2,
  certificate: 11,
  certificateRequest: 13,
  serverHelloDone: 14,
  finished: 20,
  compressedCertificate: 25,
} as const

interface Suite {
  readonly cipher: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305'
  readonly keyBytes: number
  readonly hash: 'sha256' | 'sha384'
}
const suites: ReadonlyMap<number, Suite> = new Map([
  [0x1301, { cipher: 'aes-128-gcm', keyBytes: 16, hash: 'sha256' }],
  [0x1302, { cipher: 'aes-256-gcm', keyBytes: 32, hash: 'sha384' }],
  [0x1303, { cipher: 'chacha20-poly1305', keyBytes: 32, hash: 'sha256' }],
])

/** Whatever the bytes are: what could be read of them. */
export const readHandshake = (recording: Recording): Handshake => {
  const clear = messagesIn(clearBodies(recording.received))
  const hello = clear.get(message.serverHello)
  const suite = suiteOf(hello)
  const { serverSecret, clientSecret } = recording
  if (hello === undefined) return { certificates: [], acceptableIssuers: [], offered: false }
  if (suite === undefined) return handshake12(clear, messagesIn(clearBodies(recording.sent)))
  const open = (bytes: Uint8Array, secret: Uint8Array | undefined): Messages =>
    secret === undefined ? new Map() : messagesIn(openedBodies(bytes, suite, secret))
  return handshake13(open(recording.received, serverSecret), open(recording.sent, clientSecret))
}

const handshake12 = (server: Messages, client: Messages): Handshake => {
  const request = server.get(message.certificateRequest)
  const whole = server.has(message.serverHelloDone)
  return {
    tlsVersion: 'TLSv1.2',
    certificates: orNothing(() => certificatesIn(server.get(message.certificate), false)),
    ...(request === undefined && !whole ? {} : { requested: request !== undefined }),
    acceptableIssuers: orNothing(() => (request === undefined ? [] : issuers12(request))),
    offered: orNothing(() => certificatesIn(client.get(message.certificate), false)).length > 0,
  }
}

const handshake13 = (server: Messages, client: Messages): Handshake => {
  const request = server.get(message.certificateRequest)
  const shown = server.has(message.certificate) || server.has(message.compressedCertificate)
  return {
    tlsVersion: 'TLSv1.3',
    certificates: orNothing(() => certificatesIn(certificateMessage(server), true)),
    ...(request === undefined && !shown ? {} : { requested: request !== undefined }),
    acceptableIssuers: orNothing(() => (request === undefined ? [] : issuers13(request))),
    offered: orNothing(() => certificatesIn(certificateMessage(client), true)).length > 0,
  }
}

const orNothing = (read: () => readonly Uint8Array[]): readonly Uint8Array[] => {
  try {
    return read()
  } catch (error) {
    if (error instanceof WireError) return []
    throw error
  }
}

interface TlsRecord {
  readonly type: number
  readonly header: Buffer
  readonly body: Buffer
}

/** Up to the first that is not whole. */
const recordsIn = function* (bytes: Uint8Array): Generator<TlsRecord> {
  const reader = new WireReader(bytes)
  while (reader.left >= 5) {
    const header = reader.take(5)
    const length = header.readUInt16BE(3)
    if (length > reader.left) return
    yield { type: header[0] ?? 0, header, body: reader.take(length) }
  }
}

/** Of TLS 1.2 up to the change of ciphers; of TLS 1.3 the hello. */
const clearBodies = (bytes: Uint8Array): Buffer[] => {
  const bodies: Buffer[] = []
  for (const { type, body } of recordsIn(bytes)) {
    if (type === recordType.changeCipherSpec || type === recordType.applicationData) break
    if (type === recordType.handshake) bodies.push(body)
  }
  return bodies
}

type Messages = ReadonlyMap<number, Buffer>

/** The last message of each type, without its header; those of several records are put together. */
const messagesIn = (bodies: readonly Buffer[]): Messages => {
  const found = new Map<number, Buffer>()
  const reader = new WireReader(Buffer.concat(bodies))
  while (reader.left >= 4) {
    const type = reader.number(1)
    const length = reader.number(3)
    if (length > reader.left) break
    found.set(type, reader.take(length))
    if (type === message.finished) break
  }
  return found
}

const suiteOf = (hello: Buffer | undefined): Suite | undefined => {
  if (hello === undefined) return undefined
  try {
    const reader = new WireReader(hello)
    reader.take(2 + 32)
    reader.vector(1)
    return suites.get(reader.number(2))
  } catch (error) {
    if (error instanceof WireError) return undefined
    throw error
  }
}

/** HKDF-Expand-Label with an empty context (RFC 8446 §7.1); at most one block of the hash. */
const expandLabel = (hash: Suite['hash'], secret: Uint8Array, label: string, length: number): Buffer => {
  const name = Buffer.from(`tls13 ${label}`)
  const info = Buffer.concat([Buffer.of(length >> 8, length & 0xff, name.length), name, Buffer.of(0, 1)])
  return createHmac(hash, secret).update(info).digest().subarray(0, length)
}

const tagLength = 16

/** Handshake messages under the handshake's keys, up to the first record under others. */
const openedBodies = (bytes: Uint8Array, { cipher, keyBytes, hash }: Suite, secret: Uint8Array): Buffer[] => {
  const key = expandLabel(hash, secret, 'key', keyBytes)
  const iv = expandLabel(hash, secret, 'iv', 12)
  const bodies: Buffer[] = []
  let sequence = 0
  for (const { type, header, body } of recordsIn(bytes)) {
    if (type !== recordType.applicationData) continue
    const plain = opened(cipher, key, nonceOf(iv, sequence), header, body)
    sequence += 1
    if (plain === undefined) break
    const end = plain.findLastIndex((byte) => byte !== 0)
    if (end >= 0 && plain[end] === recordType.handshake) bodies.push(plain.subarray(0, end))
  }
  return bodies
}

const nonceOf = (iv: Buffer, sequence: number): Buffer => {
  const nonce = Buffer.from(iv)
  nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ sequence) >>> 0, 8)
  return nonce
}

const opened = (
  cipher: Suite['cipher'],
  key: Buffer,
  nonce: Buffer,
  header: Buffer,
  body: Buffer,
): Buffer | undefined => {
  if (body.length <= tagLength) return undefined
  // The three AEADs share one interface; the types know it under the name of the first alone.
  const decipher = createDecipheriv(cipher as 'aes-128-gcm', key, nonce, { authTagLength: tagLength })
  decipher.setAAD(header, { plaintextLength: body.length - tagLength })
  decipher.setAuthTag(body.subarray(-tagLength))
  try {
    return Buffer.concat([decipher.update(body.subarray(0, -tagLength)), decipher.final()])
  } catch {
    return undefined
  }
}

/** More than any chain; a hostile server could announce 16 MB. */
const mostUncompressed = 256 * 1024

const decompressors: Readonly<Record<number, typeof inflateSync | typeof brotliDecompressSync>> = {
  1: inflateSync,
  2: brotliDecompressSync,
  3: zstdDecompressSync,
}

/** Certificate, or CompressedCertificate (RFC 8879 §4), which newer OpenSSL sends and takes. */
const certificateMessage = (messages: Messages): Buffer | undefined => {
  const compressed = messages.get(message.compressedCertificate)
  if (compressed === undefined) return messages.get(message.certificate)
  const reader = new WireReader(compressed)
  const decompress = decompressors[reader.number(2)]
  reader.take(3)
  if (decompress === undefined) throw new WireError('the compression of certificates is unknown')
  try {
    return decompress(reader.vector(3), { maxOutputLength: mostUncompressed })
  } catch (error) {
    if (error instanceof WireError) throw error
    throw new WireError('the compressed certificates cannot be read', { cause: error })
  }
}

const certificatesIn = (body: Buffer | undefined, is13: boolean): Uint8Array[] => {
  if (body === undefined) return []
  const reader = new WireReader(body)
  if (is13) reader.vector(1)
  const list = new WireReader(reader.vector(3))
  const certificates: Uint8Array[] = []
  while (list.left > 0) {
    certificates.push(list.vector(3))
    if (is13) list.vector(2)
  }
  return certificates
}

/** RFC 5246 §7.4.4: certificate types, signature algorithms, names. */
const issuers12 = (body: Buffer): Uint8Array[] => {
  const reader = new WireReader(body)
  reader.vector(1)
  reader.vector(2)
  return namesIn(reader.vector(2))
}

const certificateAuthorities = 47

/** RFC 8446 §4.3.2, §4.2.4. */
const issuers13 = (body: Buffer): Uint8Array[] => {
  const reader = new WireReader(body)
  reader.vector(1)
  const extensions = new WireReader(reader.vector(2))
  while (extensions.left > 0) {
    const type = extensions.number(2)
    const value = extensions.vector(2)
    if (type === certificateAuthorities) return namesIn(new WireReader(value).vector(2))
  }
  return []
}

const namesIn = (list: Buffer): Uint8Array[] => {
  const reader = new WireReader(list)
  const names: Uint8Array[] = []
  while (reader.left > 0) names.push(reader.vector(2))
  return names
}
