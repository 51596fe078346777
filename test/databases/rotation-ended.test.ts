/** A CA that ended while no operator was there: when one comes back the next CA signs at once, and a person has the server read its files. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { findCondition } from '../../src/resources/conditions.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { account } from './rotation/account.ts'
import { WatchedAuthority } from './rotation/authority.ts'
import { Fleet } from './rotation/fleet.ts'
import { embeddedSite } from './rotation/site.ts'

const reaper = new Reaper()

describe('a CA that has ended', () => {
  it('is replaced, and clients and servers find each other again', async () => {
    // Nothing is signed in its last minute.
    const duration = '90s'
    await using site = await embeddedSite()
    await using authority = await WatchedAuthority.create(site, { name: 'ended-ca', spec: { duration } })
    const ended = { engine: 'Valkey', authority: 'ended-ca' } as const
    await using fleet = await Fleet.start({ site, reaper, databases: { ended }, delayMs: 3000 })
    await site.pause()
    const since = Date.now()
    const former = await authority.certificate()
    await fleet.load.refused(['ended'], since)
    await eventually('the CA to have ended', () => Promise.resolve(Date.now() > Date.parse(former.validTo)))
    await authority.respecify({ duration: '87600h' })
    await authority.trigger()
    const begun = Date.now()
    await site.resume()
    // Nobody sends a password to a server whose certificate has ended: it is named, and a person has it read its files.
    await authority.says(/data\/ended/)
    await eventually('the new certificate to come', () => {
      const chain = readFileSync(fleet.member('ended').running.pods[0]?.volume.path('tls.crt') ?? '', 'utf8')
      return Promise.resolve(Date.parse(new X509Certificate(chain).validTo) > Date.now())
    })
    await fleet.member('ended').running.reload()
    await authority.finished()
    await fleet.load.goOn(50)
    console.log(account('ended', fleet.load, [{ name: 'ended', since }, ...authority.phases(begun)], Date.now()))
    const next = await authority.certificate()
    expect(next.publicKey.equals(former.publicKey), 'the same key').toBe(false)
    // An overlap with what nobody believes any more would only cost time.
    expect(authority.phases(begun).map(({ name }) => name)).not.toContain('TrustBoth')
    expect(findCondition(authority.status?.conditions, 'Ready')?.status).toBe('True')
    expect(fleet.load.tally('ended', authority.phases(begun).at(-1)?.since).refused).toEqual([])
  }, 600_000)
})
