/** Rotations of other kinds under the load of fresh connections, side by side, each of a CA of its own: none costs a connection that had one before. */
import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ClientCertificate } from '../../src/database/connect/sight.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { account } from './rotation/account.ts'
import { WatchedAuthority } from './rotation/authority.ts'
import { serialsOf } from './rotation/certificates.ts'
import { Fleet, type Member } from './rotation/fleet.ts'
import { pairOf } from './rotation/looks.ts'
import { atNoServer, inNoFile, placesThatHold } from './rotation/remains.ts'
import { type EmbeddedSite, embeddedSite } from './rotation/site.ts'

const reaper = new Reaper()
const databases = {
  renewed: { engine: 'MariaDB', authority: 'renewed-ca' },
  below: { engine: 'PostgreSQL', authority: 'below-ca' },
  early: { engine: 'Valkey', authority: 'early-ca' },
  late: { engine: 'MySQL', authority: 'late-ca' },
} as const
type Name = keyof typeof databases

describe.concurrent('rotations of other kinds', () => {
  let site: EmbeddedSite
  let fleet: Fleet
  const authorities = new Map<string, WatchedAuthority>()
  beforeAll(async () => {
    site = await embeddedSite()
    const create = async (name: string, spec: object = {}): Promise<void> => {
      authorities.set(name, await WatchedAuthority.create(site, { name, spec }))
    }
    const below = { source: { intermediate: { authorityRef: { name: 'root-ca' } } } }
    await create('root-ca', { maxPathLength: 1, subject: { commonName: 'Orders Root CA' } })
    await create('below-ca', below)
    for (const name of ['renewed-ca', 'early-ca', 'late-ca']) await create(name)
    fleet = await Fleet.start({ site, reaper, databases, delayMs: 3000, everyMs: 150 })
  }, 600_000)
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]()
    for (const authority of authorities.values()) await authority[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  const ca = (name: string): WatchedAuthority => {
    const found = authorities.get(name)
    if (found === undefined) throw new Error(`there is no CA ${name}`)
    return found
  }
  /** Serial numbers of the certificates of one database. */
  const serials = async (name: Name): Promise<Readonly<Record<string, string>>> =>
    Object.fromEntries([...(await serialsOf(site))].filter(([one]) => one.startsWith(`${name}-`)))
  const nobodyRefused = async (
    name: Name,
    title: string,
    authority: WatchedAuthority,
    since: number,
  ): Promise<void> => {
    await fleet.load.goOn(50, [name])
    const until = Date.now()
    const { refused, taken } = fleet.load.tally(name, since, until)
    console.log(account(title, fleet.load, authority.phases(since), until, [name]))
    expect(refused).toEqual([])
    expect(taken).toBeGreaterThan(50)
  }
  const way = (name: string, database: Name, test: () => Promise<void>): void =>
    it(
      name,
      async (context) => {
        if (fleet.missing.includes(database)) return context.skip(`${databases[database].engine} cannot be had here`)
        await test()
      },
      900_000,
    )

  way('renews a CA with its key, and leaves every certificate as it is', 'renewed', async () => {
    const authority = ca('renewed-ca')
    const former = await authority.certificate()
    const before = await serials('renewed')
    const since = Date.now()
    await authority.trigger({ onTrigger: 'ReuseKey' })
    await authority.finished()
    const now = await authority.certificate()
    expect(now.serialNumber).not.toBe(former.serialNumber)
    expect(now.publicKey.export({ type: 'spki', format: 'pem' })).toBe(
      former.publicKey.export({ type: 'spki', format: 'pem' }),
    )
    expect(await serials('renewed')).toEqual(before)
    await inNoFile(fleet, former)
    await nobodyRefused('renewed', 'ReuseKey', authority, since)
  })

  way('replaces an intermediate under its root, and then the root above it', 'below', async () => {
    const authority = ca('below-ca')
    const root = ca('root-ca')
    for (const rotated of [authority, root]) {
      const formerRoot = await root.certificate()
      const former = await authority.certificate()
      const before = await serials('below')
      const since = Date.now()
      await rotated.trigger()
      await rotated.finished()
      const after = await serials('below')
      if (rotated === authority) {
        for (const [name, serial] of Object.entries(after)) expect(serial, name).not.toBe(before[name])
        expect((await root.certificate()).fingerprint256).toBe(formerRoot.fingerprint256)
        expect((await authority.certificate()).fingerprint256).not.toBe(former.fingerprint256)
        await inNoFile(fleet, former)
        await atNoServer([fleet.member('below')], former, () => undefined)
      } else {
        // Its key stays, so certificates below it do.
        expect(after).toEqual(before)
        // Nor do its clients go: only what they hang on does.
        await inNoFile(fleet, formerRoot)
        await atNoServer([fleet.member('below')], formerRoot, () => undefined)
      }
      await nobodyRefused('below', rotated === root ? 'root' : 'intermediate', rotated, since)
    }
  })

  way('is taken back while both CAs are trusted and the former one signs', 'early', async () => {
    const authority = ca('early-ca')
    const former = await authority.certificate()
    const before = await serials('early')
    const since = Date.now()
    await authority.trigger({ holdAt: 'TrustBoth' })
    await authority.until('TrustBoth')
    await authority.says(/All is seen. Held at/)
    const next = await authority.certificate('next.crt')
    expect(await placesThatHold(fleet, next)).not.toEqual([])
    await authority.abort()
    expect((await authority.certificate()).fingerprint256).toBe(former.fingerprint256)
    expect(await serials('early')).toEqual(before)
    expect(authority.phases(since).map(({ name }) => name)).not.toContain('Signing')
    await inNoFile(fleet, next)
    await nobodyRefused('early', 'taken back from TrustBoth', authority, since)
  })

  way('is taken back when the next CA has signed already', 'late', async () => {
    const authority = ca('late-ca')
    const former = await authority.certificate()
    const before = await serials('late')
    const since = Date.now()
    await authority.trigger({ holdAt: 'Signing' })
    await authority.until('Signing')
    await eventually(
      'every certificate to be of the next CA',
      async () => Object.entries(await serials('late')).every(([name, serial]) => serial !== before[name]),
      { timeoutMs: 240_000 },
    )
    const next = await authority.certificate()
    const pair = await pairSignedBy(fleet.member('late'), next)
    await authority.abort()
    expect((await authority.certificate()).fingerprint256).toBe(former.fingerprint256)
    await inNoFile(fleet, next)
    await atNoServer([fleet.member('late')], next, () => pair)
    await nobodyRefused('late', 'taken back from Signing', authority, since)
  })
})

/** Of the client, when its volume has followed. */
const pairSignedBy = ({ name, app }: Member, { publicKey }: X509Certificate): Promise<ClientCertificate> =>
  eventually(`the client of ${name} to have another certificate`, () => {
    const pair = pairOf(app)
    return Promise.resolve(new X509Certificate(pair.chain).verify(publicKey) && pair)
  })
