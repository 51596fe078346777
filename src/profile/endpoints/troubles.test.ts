import type { Socket } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { makePair, mysqlError, mysqlGreeting, type Pair, serve, startTls } from '../../database/connect/testing.ts'
import { issueCertificate } from '../../pki/certificates/certificate.ts'
import { parseCertificate } from '../../pki/certificates/parse.ts'
import { leafPlan, usagesOf } from '../../pki/certificates/plans.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import { distinguishedName } from '../../pki/names/names.ts'
import { type Authority, day, generate, makeRoot, p256, randomSerial } from '../../pki/testing.ts'
import { systemClock } from '../../runtime/clock.ts'
import { judge } from './judge.ts'
import { lookAt } from './look.ts'
import { localRules, Permission } from './permitted.ts'

let ca: Authority
let good: Pair
let otherName: Pair
let otherAuthority: Pair
let expired: Pair
beforeAll(async () => {
  ca = await makeRoot({ commonName: 'Orders CA', now: Date.now() - day })
  good = await makePair(ca, 'Server', ['127.0.0.1'])
  otherName = await makePair(ca, 'Server', ['elsewhere.test'])
  otherAuthority = await makePair(await makeRoot({ commonName: 'Other CA', now: Date.now() }), 'Server', ['127.0.0.1'])
  expired = await makeExpired()
})

const makeExpired = async (): Promise<Pair> => {
  const key = await generate()
  const plan = leafPlan({
    ...{ signer: ca.signer, subject: distinguishedName({ commonName: 'db' }), spki: key.spki },
    names: [{ type: 'IP', value: '127.0.0.1' }],
    ...usagesOf('Server', [], p256),
    ...{ now: Date.now() - day / 2, duration: 3_600_000, serialNumber: randomSerial() },
  })
  const { der } = await issueCertificate(plan, ca.signer)
  return { chain: encodePem('CERTIFICATE', der), key: encodePem('PRIVATE KEY', key.pkcs8), der }
}

/** What is said of the server, which should serve what `expected` holds, or anything that verifies. */
const saidOf = async (handler: (socket: Socket) => unknown, dialect: 'plain' | 'mysql', expected?: Pair) => {
  await using server = await serve(handler)
  const asking = {
    ...{ host: '127.0.0.1', port: server.port, dialect, serverName: '127.0.0.1', roots: [ca.certificate] },
    ...{ namespace: 'data', clusterDomain: 'cluster.local' },
  }
  const { look } = await lookAt(asking, {
    ...{ clock: systemClock(), permits: new Permission(localRules), showing: undefined },
    signal: new AbortController().signal,
  })
  const facts = expected === undefined ? [] : [parseCertificate(expected.der)]
  return judge(look, {
    expected: facts.map(({ serialNumber, fingerprint }) => ({
      certificate: 'orders-server',
      serialNumber,
      fingerprint,
    })),
    ...{ managed: expected === undefined, facesClients: true, engine: 'MySQL', wasOurs: () => false },
  })
}
const tls = (pair: () => Pair) => (socket: Socket) =>
  startTls(socket, { options: { cert: pair().chain, key: pair().key } })

describe('a server that', () => {
  it.each<[string, () => Pair, string, string]>([
    ['serves what it should', () => good, 'Serving', 'It serves the current certificate'],
    ['is for another name', () => otherName, 'NotVerified', 'it is not for 127.0.0.1 but for DNS:elsewhere.test'],
    ['has a certificate of another CA', () => otherAuthority, 'NotVerified', 'it was signed by "CN=Other CA,O=Acme"'],
    ['has one that has expired', () => expired, 'NotVerified', 'has expired (it ends at 20'],
  ])('%s', async (_, pair, standing, words) => {
    const said = await saidOf(tls(pair), 'plain', pair())
    expect(said).toMatchObject({ standing, message: expect.stringContaining(words) as string })
    expect(said.servedSerial).toBe(parseCertificate(pair().der).serialNumber)
    // One that brings its own certificate is held to the same.
    const managed = await saidOf(tls(pair), 'plain')
    expect(managed.standing).toBe(standing)
  })

  const secret = 'root:s3cr3t@internal'
  it.each<[string, 'plain' | 'mysql', (socket: Socket) => unknown, string, string]>([
    ['speaks in the clear', 'plain', (socket) => socket.end(`${secret}\r\n`), 'NoTLS', 'speaks no TLS'],
    ['is a web server', 'plain', (socket) => socket.end(`HTTP/1.1 400 ${secret}\r\n\r\n`), 'NoTLS', 'speaks no TLS'],
    ['is another protocol', 'mysql', (socket) => socket.end(`SSH-2.0-${secret}\r\n`), 'NoTLS', 'not as MySQL does'],
    [
      'has TLS off',
      'mysql',
      (socket) => socket.write(mysqlGreeting({ capabilities: 0xffff_f7ff })),
      'NoTLS',
      'switched off',
    ],
    ['is full', 'mysql', (socket) => socket.end(mysqlError(1040, secret)), 'Unreachable', 'full, starting or stopping'],
    ['does not let us in', 'mysql', (socket) => socket.end(mysqlError(1130, secret)), 'Unreachable', 'turns'],
    [
      'has an error of its own',
      'mysql',
      (socket) => socket.end(mysqlError(1105, secret)),
      'Unreachable',
      'an error instead',
    ],
    ['hangs up', 'plain', (socket) => socket.destroy(), 'Unreachable', 'hung up'],
    ['says nothing', 'mysql', () => undefined, 'Unreachable', 'does not answer in time'],
    ['never shakes hands', 'plain', () => undefined, 'Unreachable', 'does not answer in time'],
  ])('%s is told by what it does, and not in its own words', async (_, dialect, handler, standing, words) => {
    const said = await saidOf(handler, dialect, good)
    expect(said).toMatchObject({ standing, message: expect.stringContaining(words) as string })
    expect(JSON.stringify(said)).not.toMatch(/s3cr3t|SSH/)
  })

  it('is not there', async () => {
    const { port, ...gone } = await serve(() => undefined)
    await gone[Symbol.asyncDispose]()
    const { look } = await lookAt(
      {
        ...{ host: '127.0.0.1', port, dialect: 'plain', serverName: 'x', roots: [] },
        ...{ namespace: 'data', clusterDomain: 'cluster.local' },
      },
      {
        ...{ clock: systemClock(), permits: new Permission(localRules), showing: undefined },
        signal: new AbortController().signal,
      },
    )
    expect(look.visits).toMatchObject([{ fault: 'ConnectFailed' }])
  })
})
