import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  makeAuthority,
  makePair,
  mysqlError,
  mysqlGreeting,
  opensslServer,
  type Pair,
  pemOf,
  readExactly,
  serve,
  startTls,
} from '../../database/connect/testing.ts'
import { parseCertificate } from '../../pki/certificates/parse.ts'
import type { Authority } from '../../pki/testing.ts'
import { runVerb, useFolder } from '../shared/verb.fixture.ts'
import { main } from './verify.ts'

let ca: Authority
let peer: Pair
let client: Pair
let renewed: Pair
let serverPair: Pair
let renewedServer: Pair
beforeAll(async () => {
  ca = await makeAuthority('Orders CA')
  peer = await makePair(ca, 'Peer', ['127.0.0.1', 'db.test'])
  renewed = await makePair(ca, 'Peer', ['127.0.0.1', 'db.test'])
  client = await makePair(ca, 'Client', ['app'])
  serverPair = await makePair(ca, 'Server', ['127.0.0.1'])
  renewedServer = await makePair(ca, 'Server', ['127.0.0.1'])
})

const mysqlServer = (pair: () => Pair, asks = true) =>
  serve(async (socket) => {
    socket.write(mysqlGreeting())
    if ((await readExactly(socket, 36).catch(() => undefined)) === undefined) return
    const { chain, key } = pair()
    const options = { cert: chain, key, ca: pemOf(ca), requestCert: asks, rejectUnauthorized: false }
    startTls(socket, { options, onSecure: (tls) => tls.once('data', () => tls.write(mysqlError(1045, 'no', 3))) })
  })

describe('dbtls verify of a live server', () => {
  const folder = useFolder()
  const put = (pair: Pair, authority: string): string => {
    const path = folder.path('.')
    writeFileSync(join(path, 'tls.crt'), pair.chain)
    writeFileSync(join(path, 'tls.key'), pair.key)
    writeFileSync(join(path, 'ca.crt'), authority)
    return path
  }
  const verify = (source: string, port: number, ...args: string[]) =>
    runVerb(main, [source, '--engine', 'MySQL', '--endpoint', `127.0.0.1:${port}`, ...args])

  it('says what it serves and that it takes the certificate', async () => {
    await using server = await mysqlServer(() => peer)
    const { code, out, err } = await verify(put(client, pemOf(ca)), server.port)
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/: verified: chain, key\n127\.0\.0\.1:[0-9]+: serves [0-9A-F]{32} "CN=127\.0\.0\.1" until /)
    expect(out).toMatch(/over TLSv1\.3; asks clients for a certificate of "CN=Orders CA,O=Acme", and takes this one\n$/)
  })
  it('has a stable shape for programs', async () => {
    await using server = await mysqlServer(() => ({ ...peer, chain: peer.chain + pemOf(ca) }), false)
    const { code, out } = await verify(put(peer, pemOf(ca)), server.port, '-o', 'json', '--name', 'db.test')
    expect(code).toBe(0)
    const { fingerprint, notAfter } = parseCertificate(ca.certificate)
    const root = { fingerprint, subject: 'CN=Orders CA,O=Acme', notAfter: new Date(notAfter).toISOString() }
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      endpoints: [
        {
          ...{ address: `127.0.0.1:${server.port}`, tlsVersion: 'TLSv1.3', asksForCertificate: false, trusts: [] },
          ...{ problems: [], served: { names: ['IP:127.0.0.1', 'DNS:db.test'], issuer: root.subject, chain: [root] } },
        },
      ],
    })
  })
  it.each(['TLSv1.2', 'TLSv1.3'])(
    'finds no fault with a server of %s that wants what a server does not have',
    async (version) => {
      const source = put(serverPair, pemOf(ca))
      const only = ['-cert', 'tls.crt', '-key', 'tls.key', '-CAfile', 'ca.crt', '-Verify', '1', '-verify_return_error']
      await using listening = await opensslServer(source, [...only, version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3'])
      const ask = [source, '--engine', 'Redis', '--endpoint', `127.0.0.1:${listening.port}`]
      const { code, out, err } = await runVerb(main, ask)
      expect([code, err]).toEqual([0, ''])
      expect(out).toMatch(/; takes no client without a certificate of "CN=Orders CA,O=Acme"\n$/)
      const told = await runVerb(main, [...ask, '-o', 'json'])
      expect(JSON.parse(told.out)).toMatchObject({ ok: true, endpoints: [{ requiresCertificate: true, problems: [] }] })
      // It still is no excuse for another certificate than the one here.
      const other = await runVerb(main, [put(renewedServer, pemOf(ca)), ...ask.slice(1)])
      expect([other.code, other.err]).toEqual([1, expect.stringMatching(/serves [0-9A-F]+, and not [0-9A-F]+/)])
    },
  )
  it('finds fault with a server that refuses the client at hand', async () => {
    const source = put(serverPair, pemOf(await makeAuthority('Orders CA')))
    const only = ['-cert', 'tls.crt', '-key', 'tls.key', '-CAfile', 'ca.crt', '-Verify', '1', '-verify_return_error']
    await using listening = await opensslServer(source, only)
    const ask = ['--engine', 'Redis', '--endpoint', `127.0.0.1:${listening.port}`]
    const { code, err } = await runVerb(main, [put(client, pemOf(ca)), ...ask])
    expect([code, err]).toEqual([
      1,
      expect.stringContaining("refuses this certificate as a client's, with TLS alert 48"),
    ])
  })
  it('finds fault with a server that has not loaded what is here', async () => {
    await using server = await mysqlServer(() => peer)
    const { code, err } = await verify(put(renewed, pemOf(ca)), server.port)
    expect([code, err]).toEqual([1, expect.stringMatching(/serves [0-9A-F]+, and not [0-9A-F]+ as it is here/)])
  })
  it('verifies a server by name with nothing but its CAs', async () => {
    await using server = await mysqlServer(() => peer, false)
    writeFileSync(folder.path('ca.crt'), pemOf(ca))
    const at = ['--engine', 'MySQL', '--endpoint', `127.0.0.1:${server.port}`, '--name']
    const right = await runVerb(main, [folder.path('.'), ...at, 'db.test'])
    expect([right.code, right.err]).toEqual([0, ''])
    const wrong = await runVerb(main, [folder.path('.'), ...at, 'other.test'])
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('it is not for other.test')])
  })
  it('finds fault with a name that the served certificate is not for, and with nobody', async () => {
    await using server = await mysqlServer(() => peer)
    const source = put(client, pemOf(ca))
    const wrong = await runVerb(main, [source, '--engine', 'mysql', '--endpoint', `localhost:${server.port}`])
    expect([wrong.code, wrong.err]).toEqual([
      1,
      expect.stringContaining('it is not for localhost but for IP:127.0.0.1'),
    ])
    const { port, ...gone } = await serve(() => undefined)
    await gone[Symbol.asyncDispose]()
    const { code, err } = await verify(source, port)
    expect([code, err]).toEqual([1, expect.stringContaining('the connection was not made (ECONNREFUSED)')])
  })
})
