import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Offers } from '../../database/connect/prove.ts'
import { makeAuthority, makeOffers, makePair, opensslServer, pemOf, serve } from '../../database/connect/testing.ts'
import { type Authority, opensslVersion } from '../../pki/testing.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import type { Asking } from './look.ts'
import { proveAll } from './proof.ts'
import type { Look } from './seen.ts'

const folder = mkdtempSync(join(tmpdir(), 'dbtls-proof-'))
let current: Authority
let offers: Offers
beforeAll(async () => {
  current = await makeAuthority('Orders CA')
  const next = await makeAuthority('Orders CA')
  const server = await makePair(current, 'Server', ['db.test'])
  offers = await makeOffers(current, next)
  writeFileSync(join(folder, 'server.pem'), server.chain + server.key)
  writeFileSync(join(folder, 'both.pem'), pemOf(current) + pemOf(next))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe.skipIf(opensslVersion === undefined)(
  'servers behind one name that are almost too late with each answer',
  () => {
    const args = ['-cert', 'server.pem', '-tls1_2', '-CAfile', 'both.pem', '-Verify', '1', '-verify_return_error']
    /** Proves of so many addresses with five offers each, or more; answers what is said, and how many were asked. */
    const prove = async ({ addresses, inARow }: { readonly addresses: number; readonly inARow: number }) => {
      await using listening = await opensslServer(folder, args)
      const clock = new ManualClock(Date.now())
      const asked = new Set<string | undefined>()
      // Time passes while an answer is waited for, and at no other time.
      const answerLate = async (socket: Socket): Promise<void> => {
        asked.add(socket.localAddress)
        await once(socket, 'readable')
        await clock.advance(5000)
        const behind = connect(listening.port, '127.0.0.1')
        behind.on('error', () => socket.destroy())
        socket.on('close', () => behind.destroy())
        socket.pipe(behind).pipe(socket)
      }
      await using late = await serve(answerLate, '0.0.0.0')
      const place = { namespace: 'data', clusterDomain: 'cluster.local' }
      const asking: Asking = {
        ...{ host: 'db.test', port: late.port, dialect: 'plain', serverName: 'db.test', ...place },
        roots: [current.certificate],
      }
      const served = { serialNumber: '1', fingerprint: '', issuer: '', notAfter: 0, names: [], above: [] }
      const visits = Array.from({ length: addresses }, (_, at) => ({
        ...{ address: `127.0.0.${at + 1}`, problems: [], refused: false, sent: false, served },
      }))
      const look: Look = { at: clock.now(), tookMs: 0, visits, client: 'NotNeeded' }
      const { signal } = new AbortController()
      const options = { clock, signal, rules: { inARow, overMs: 0 } }
      const { trust } = await proveAll(asking, look, offers, { from: 'now', to: 'next' }, options)
      return { trust, asked: asked.size, tookMs: clock.monotonic() }
    }
    const tooLate = 'It answers so late that there was no time to find out whether it trusts the next CA.'

    it('are proved where there is time for all', async () => {
      const { trust, asked, tookMs } = await prove({ addresses: 2, inARow: 3 })
      expect({ trust, asked, tookMs }).toEqual({
        ...{ trust: { state: 'Trusted', trusts: ['now', 'next'] }, asked: 2, tookMs: 2 * 5 * 5000 },
      })
    })
    it('are asked no more after half a minute with one of them', async () => {
      const { trust, asked, tookMs } = await prove({ addresses: 3, inARow: 10 })
      expect(trust).toEqual({ state: 'Unknown', message: `127.0.0.1: ${tooLate}` })
      expect([asked, tookMs]).toEqual([1, 30_000])
    })
    it('are asked no more after three minutes with all of them', async () => {
      const { trust, asked, tookMs } = await prove({ addresses: 10, inARow: 3 })
      expect(trust).toEqual({ state: 'Unknown', message: `127.0.0.9: ${tooLate}` })
      expect([asked, tookMs]).toEqual([8, 200_000])
    })
  },
)
