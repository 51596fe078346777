import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, opensslVersion } from '../../pki/testing.ts'
import { systemClock } from '../../runtime/clock.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { type Offers, proveTrust } from './prove.ts'
import type { Target } from './sight.ts'
import { makeAuthority, makeOffers, makePair, opensslServer, pemOf, serve } from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'dbtls-prove-'))
let current: Authority
let next: Authority
let offers: Offers
beforeAll(async () => {
  current = await makeAuthority('Orders CA')
  next = await makeAuthority('Orders CA')
  const server = await makePair(current, 'Server', ['db.test'])
  offers = await makeOffers(current, next)
  writeFileSync(join(folder, 'server.pem'), server.chain + server.key)
  writeFileSync(join(folder, 'current.pem'), pemOf(current))
  writeFileSync(join(folder, 'both.pem'), pemOf(current) + pemOf(next))
  writeFileSync(join(folder, 'next.pem'), pemOf(next))
})
afterAll(() => rmSync(folder, { recursive: true }))

const verify = ['-Verify', '1', '-verify_return_error']
const server = (...args: string[]) => opensslServer(folder, ['-cert', 'server.pem', ...args])
const targetAt = (port: number): Target => ({
  ...{ address: '127.0.0.1', port, dialect: 'plain', serverName: 'db.test', roots: [current.certificate] },
})
const prove = (port: number, signal?: AbortSignal) =>
  proveTrust(targetAt(port), offers, {
    ...{ clock: systemClock(), totalMs: 60_000, graceMs: 60_000, signal, rules: { inARow: 4, overMs: 60 } },
  })

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
  it.each([
    ['before the next offer', 20_000, 4],
    ['in the middle of one', 18_000, 4],
  ])('of a server that is almost too late with each answer ends %s', async (_, mostMs, rounds) => {
    await using listening = await server('-tls1_2', '-CAfile', 'both.pem', ...verify)
    const clock = new ManualClock(Date.now())
    // Time passes while it is waited for, and at no other time.
    await using slow = await serve(async (socket) => {
      await clock.advance(5000)
      const behind = connect(listening.port, '127.0.0.1')
      behind.on('error', () => socket.destroy())
      socket.on('close', () => behind.destroy())
      socket.pipe(behind).pipe(socket)
    })
    const limits = { connectMs: 60_000, totalMs: 6000, mostMs, rules: { inARow: 100, overMs: 0 } }
    const proof = await proveTrust(targetAt(slow.port), offers, { clock, ...limits })
    expect(proof).toMatchObject({ verdict: 'NotProvable', reason: 'TooSlow' })
    expect(proof.rounds).toHaveLength(rounds)
    expect(proof.sight).toMatchObject({ outcome: 'Accepted', served: { subject: 'CN=db.test' } })
    expect(clock.monotonic()).toBeLessThanOrEqual(20_000)
    expect(proof.message).toBe(`the server answers so late that ${mostMs / 1000} s were not enough for all offers`)
  })
  it('of a server that is gone', async () => {
    const { port, ...listening } = await server()
    await listening[Symbol.asyncDispose]()
    expect(await prove(port)).toMatchObject({ verdict: 'Unreachable', reason: 'ConnectFailed' })
  })
})
