import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { formatDistinguishedName } from '../../pki/names/names.ts'
import type { Authority } from '../../pki/testing.ts'
import { readHandshake, type Recording } from './handshake.ts'
import { Tap } from './tap.ts'
import { makeAuthority, makePair, type Pair, pemOf, serve, startTls } from './testing.ts'

let authorities: readonly [Authority, Authority]
let server: Pair
let client: Pair
beforeAll(async () => {
  authorities = [await makeAuthority('One'), await makeAuthority('Two')]
  server = await makePair(authorities[0], 'Server', ['db.test'])
  client = await makePair(authorities[0], 'Client')
})

interface Wish {
  readonly version: 'TLSv1.2' | 'TLSv1.3'
  readonly ciphers?: string
  readonly asks: boolean
  readonly offers: boolean
}

/** A handshake with a server in this process, as it was on the wire. */
const record = async ({ version, ciphers, asks, offers }: Wish): Promise<Recording> => {
  const options = {
    ...{ cert: server.chain, key: server.key, ca: authorities.map(pemOf), minVersion: version, maxVersion: version },
    ...{ requestCert: asks, rejectUnauthorized: false },
  }
  await using listening = await serve((socket) => startTls(socket, { options }))
  const socket = connect(listening.port, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  const tap = new Tap(socket)
  const secrets = new Map<string, Buffer>()
  const own = offers ? { cert: client.chain, key: client.key } : {}
  const tls = connectTls({
    socket: tap,
    rejectUnauthorized: false,
    ...own,
    ...(ciphers === undefined ? {} : { ciphers }),
  })
  tls.on('keylog', (line: Buffer) => {
    const [label = '', , secret = ''] = line.toString().trim().split(' ')
    secrets.set(label, Buffer.from(secret, 'hex'))
  })
  await new Promise((resolve) => tls.once('secureConnect', resolve))
  const recording = {
    received: tap.received,
    sent: tap.sent,
    serverSecret: secrets.get('SERVER_HANDSHAKE_TRAFFIC_SECRET'),
    clientSecret: secrets.get('CLIENT_HANDSHAKE_TRAFFIC_SECRET'),
  }
  tls.destroy()
  socket.destroy()
  return recording
}

const suites = [undefined, 'TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'] as const
const wishes = [true, false].flatMap((asks) =>
  [true, false].flatMap((offers): Wish[] => [
    { version: 'TLSv1.2', asks, offers },
    ...suites.map((ciphers): Wish => ({
      version: 'TLSv1.3',
      asks,
      offers,
      ...(ciphers === undefined ? {} : { ciphers }),
    })),
  ]),
)

describe('a recorded handshake', () => {
  it.each(wishes)('tells all: %j', async (wish) => {
    const handshake = readHandshake(await record(wish))
    expect(handshake).toMatchObject({
      ...{ tlsVersion: wish.version, requested: wish.asks, offered: wish.asks && wish.offers },
    })
    // OpenSSL adds the CA that it has at hand.
    expect(handshake.certificates.map((der) => Buffer.from(der))).toEqual([
      Buffer.from(server.der),
      Buffer.from(authorities[0].certificate),
    ])
    const names = handshake.acceptableIssuers.map(formatDistinguishedName)
    expect(names).toEqual(wish.asks ? ['CN=One,O=Acme', 'CN=Two,O=Acme'] : [])
  })
  it('tells nothing of TLS 1.3 without its secrets', async () => {
    const { received, sent } = await record({ version: 'TLSv1.3', asks: true, offers: true })
    expect(readHandshake({ received, sent })).toEqual({
      ...{ tlsVersion: 'TLSv1.3', certificates: [], acceptableIssuers: [], offered: false },
    })
  })
  it('that is cut anywhere claims nothing that was not there', async () => {
    const whole = await record({ version: 'TLSv1.2', asks: true, offers: true })
    for (let length = 0; length <= whole.received.length; length += 1) {
      const { requested, certificates } = readHandshake({ ...whole, received: whole.received.subarray(0, length) })
      expect([undefined, true]).toContain(requested)
      expect(certificates.length).toBeLessThanOrEqual(2)
    }
  })
})

describe('whatever the bytes', () => {
  const judge = (recording: Recording): void => {
    const { certificates, acceptableIssuers } = readHandshake(recording)
    const total = [...certificates, ...acceptableIssuers].reduce((sum, { length }) => sum + length, 0)
    expect(total).toBeLessThan(600_000)
  }
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('a damaged %s handshake does no harm', async (version) => {
    const whole = await record({ version, asks: true, offers: true })
    const damage = fc.array(fc.tuple(fc.nat(whole.received.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(damage, (changes) => {
        const received = Buffer.from(whole.received)
        for (const [at, byte] of changes) received[at] = byte
        judge({ ...whole, received })
      }),
      { numRuns: 500 },
    )
  })
  it('garbage does no harm', () => {
    const framed = fc
      .array(fc.tuple(fc.constantFrom(20, 21, 22, 23), fc.uint8Array({ maxLength: 200 })), { maxLength: 6 })
      .map((records) =>
        Buffer.concat(records.map(([type, body]) => Buffer.concat([Buffer.of(type, 3, 3, 0, body.length), body]))),
      )
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), framed)
    fc.assert(
      fc.property(bytes, bytes, fc.uint8Array({ maxLength: 48 }), (received, sent, secret) =>
        judge({ received, sent, serverSecret: secret, clientSecret: secret }),
      ),
      { numRuns: 500 },
    )
  })
})
