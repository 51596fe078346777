/**
 * What the gates of a rotation are for, at a server that reads its CA at its start alone and that nobody restarts: with them the
 * rotation waits and nobody is refused, without one of them clients are.
 */
import { describe, expect, it } from 'vitest'
import type { GateName } from '../../src/rotation/gates.ts'
import { type Rules, rules } from '../../src/rotation/phases.ts'
import { Reaper } from '../controlplane/harness/process.ts'
import { account } from './rotation/account.ts'
import { WatchedAuthority } from './rotation/authority.ts'
import { Fleet } from './rotation/fleet.ts'
import { embeddedSite } from './rotation/site.ts'

const reaper = new Reaper()
const databases = { etcd: { engine: 'etcd alone', authority: 'orders-ca' } } as const

/** The CA signs, though no server has shown that it trusts it: what it has proved opens these two, each by itself. */
const unproved: readonly GateName[] = ['loaded', 'proved']
const { TrustBoth } = rules.phases
const gates = TrustBoth.gates.filter((name) => !unproved.includes(name))
const withoutProof: Rules = { ...rules, phases: { ...rules.phases, TrustBoth: { ...TrustBoth, gates } } }

describe('a server that has not loaded the next CA', () => {
  it('is waited for until it has proved its trust, and refuses nobody', { timeout: 900_000 }, async (context) => {
    await using site = await embeddedSite()
    await using authority = await WatchedAuthority.create(site, { name: 'orders-ca' })
    await using fleet = await Fleet.start({ site, reaper, databases, delayMs: 3000 })
    if (fleet.missing.length > 0) return context.skip('etcd cannot be had here')
    const member = fleet.member('etcd')
    const since = Date.now()
    await authority.trigger()
    await authority.says(/1 server has not proved to trust the next CA: data\/etcd: 127\.0\.0\.1/)
    await fleet.load.goOn(300)
    expect(authority.phase).toBe('TrustBoth')
    const until = Date.now()
    console.log(account('not restarted', fleet.load, authority.phases(since), until))
    expect(fleet.load.tally('etcd', since, until).refused).toEqual([])
    await member.running.reload()
    await authority.until('Signing', 'DropSoak', 'Dropped', 'Idle')
  })

  it('refuses clients where the next CA signs all the same', { timeout: 900_000 }, async (context) => {
    await using site = await embeddedSite({ rules: withoutProof })
    await using authority = await WatchedAuthority.create(site, { name: 'orders-ca' })
    await using fleet = await Fleet.start({ site, reaper, databases, delayMs: 3000 })
    if (fleet.missing.length > 0) return context.skip('etcd cannot be had here')
    const since = Date.now()
    await authority.trigger()
    await fleet.load.refused(['etcd'], since)
    console.log(account('without a gate', fleet.load, authority.phases(since), Date.now()))
    expect(authority.phase).not.toBe('TrustBoth')
  })
})
