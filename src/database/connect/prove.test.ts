import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, opensslVersion } from '../../pki/testing.ts'
import { systemClock } from '../../runtime/clock.ts'
import { type Offers, proveTrust } from './prove.ts'
import { makeAuthority, makePair, opensslServer, pemOf } from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'dbtls-prove-'))
let current: Authority
let next: Authority
let offers: Offers
beforeAll(async () => {
  current = await makeAuthority('Orders CA')
  next = await makeAuthority('Orders CA')
  const server = await makePair(current, 'Server', ['db.test'])
  offers = {
    Current: await makePair(current, 'Client'),
    Stranger: await makePair(await makeAuthority('Orders CA'), 'Client'),
    Next: await makePair(next, 'Client'),
  }
  writeFileSync(join(folder, 'server.pem'), server.chain + server.key)
  writeFileSync(join(folder, 'current.pem'), pemOf(current))
  writeFileSync(join(folder, 'both.pem'), pemOf(current) + pemOf(next))
  writeFileSync(join(folder, 'next.pem'), pemOf(next))
})
afterAll(() => rmSync(folder, { recursive: true }))

const verify = ['-Verify', '1', '-verify_return_error']
const server = (...args: string[]) => opensslServer(folder, ['-cert', 'server.pem', ...args])
const prove = (port: number, signal?: AbortSignal) =>
  proveTrust(
    { address: '127.0.0.1', port, dialect: 'plain', serverName: 'db.test', roots: [current.certificate] },
    offers,
    { clock: systemClock(), totalMs: 60_000, graceMs: 60_000, signal, rules: { inARow: 4, overMs: 60 } },
  )

describe.skipIf(opensslVersion === undefined)('the proof before openssl', () => {
  it.each<[string, string[], string, string, number]>([
    ['trusts both', ['-CAfile', 'both.pem', ...verify], 'Trusted', 'Proved', 1],
    ['trusts the current CA alone', ['-CAfile', 'current.pem', ...verify], 'NotTrusted', 'Refused', 1],
    ['trusts the next CA alone', ['-CAfile', 'next.pem', ...verify], 'NotProvable', 'CurrentRefused', 1],
    ['verifies nobody', ['-CAfile', 'both.pem', '-verify', '1'], 'NotProvable', 'StrangerAccepted', 0],
    ['asks for nothing', [], 'NotProvable', 'NotRequested', 0],
  ])('of a server that %s', async (_, args, verdict, reason, refusals) => {
    for (const version of ['-tls1_2', '-tls1_3']) {
      await using listening = await server(version, ...args)
      const proof = await prove(listening.port)
      expect([proof.verdict, proof.reason, proof.refusals], version).toEqual([verdict, reason, refusals])
      expect(proof.rounds[0]?.offer).toBe('Next')
      expect(proof.sight.served?.subject).toBe('CN=db.test')
    }
  })
  it('of a server that is gone', async () => {
    const { port, ...listening } = await server()
    await listening[Symbol.asyncDispose]()
    expect(await prove(port)).toMatchObject({ verdict: 'Unreachable', reason: 'ConnectFailed' })
  })
})
