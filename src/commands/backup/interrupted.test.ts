import { setTimeout as realSleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { ApiError } from '../../cluster/errors.ts'
import { type Cluster, keyOf, type KubeObject } from '../../cluster/port.ts'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { configMaps, secrets } from '../../resources/core.ts'
import { databaseCertificates } from '../../resources/database-certificate.ts'
import { issuedCertificates } from '../../resources/issued-certificate.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { newCluster, start } from '../../testing.ts'
import type { BackupContents } from './contents.ts'
import { backedUp, lived, restored, settled, substanceOf } from './world.fixture.ts'

const verbs: ReadonlySet<PropertyKey> = new Set(['create', 'update', 'updateStatus', 'apply', 'delete'])

/** Lets the process die at one of its writes: nothing after it reaches the server, nor before it with `before`. */
const dying = (cluster: Cluster, at: number, when: 'before' | 'after') => {
  let count = 0
  let dead = false
  const die = (): never => {
    dead = true
    throw new ApiError({ status: 0, reason: 'Crashed', message: 'the process died here', ambiguous: true })
  }
  const mortal = new Proxy(cluster, {
    get: (target, name) => {
      const member = Reflect.get(target, name) as (...args: unknown[]) => unknown
      if (typeof member !== 'function') return member
      return async (...args: unknown[]): Promise<unknown> => {
        if (dead) die()
        const mine = verbs.has(name) ? (count += 1) : 0
        if (mine === at && when === 'before') die()
        const answer = await member.apply(target, args)
        if (mine === at && when === 'after') die()
        return answer
      }
    },
  })
  return { cluster: mortal, writes: () => count }
}

/** What the dead process had sent reaches the server. */
const arrived = () => realSleep(2)

const later = (contents: BackupContents): ManualClock => new ManualClock(Date.parse(contents.createdAt) + 3_600_000)

/** The whole cluster, with the names of objects in place of their uids. */
const stateOf = async (cluster: Cluster): Promise<unknown> => {
  const kinds = [certificateAuthorities, databaseCertificates, issuedCertificates, secrets, configMaps]
  const lists = await Promise.all(kinds.map((kind) => cluster.list<KubeObject>(kind)))
  const objects = lists.flatMap(({ items }) => items)
  const names = new Map(objects.map((one) => [one.metadata.uid ?? '', `${one.kind} ${keyOf(one)}`]))
  const text = JSON.stringify(
    objects
      .map((one) => `${one.kind} ${keyOf(one)} ${JSON.stringify(one)}`)
      .toSorted()
      .join('\n'),
  )
  return text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (uid) => names.get(uid) ?? uid)
    .replace(/(esourceVersion|creationTimestamp)\\+":\\+"[^"\\]*/g, '$1')
    .replace(/(thisUpdate|nextUpdate)\\+":\\+"[^"\\]*|number\\+":\d+/g, '$1')
    .split('\\n')
}

describe('a restore that dies at any write', { timeout: 300_000 }, () => {
  let contents: BackupContents
  let substance: unknown
  let whole: unknown
  let writes = 0

  beforeAll(async () => {
    const old = await lived()
    contents = await backedUp(old.cluster, old.clock)
    substance = await substanceOf(old.cluster)
    await old.stop()
    const clock = later(contents)
    const { cluster, writes: count } = dying(newCluster(clock), Infinity, 'before')
    await restored(cluster, clock, contents)
    writes = count()
    whole = await stateOf(cluster)
  }, 120_000)

  it('is carried on by the next one, and ends as if nothing had happened', async () => {
    expect(writes).toBeGreaterThan(80)
    for (let at = 1; at <= writes; at += 1)
      for (const when of ['before', 'after'] as const) {
        const clock = later(contents)
        const cluster = newCluster(clock)
        const first = await restored(dying(cluster, at, when).cluster, clock, contents)
        expect(first.err, `${at} ${when}`).toContain('the process died here')
        await arrived()
        const second = await restored(cluster, clock, contents)
        expect([second.code, second.err], `${at} ${when}`).toEqual([0, ''])
        expect(await stateOf(cluster), `${at} ${when}`).toEqual(whole)
        expect((await restored(cluster, clock, contents)).out).toMatch(/^unchanged/)
        expect(await stateOf(cluster)).toEqual(whole)
      }
  })

  it('signs nothing meanwhile, with an operator at work', async () => {
    for (let at = 3; at <= writes; at += 9) {
      const clock = later(contents)
      const cluster = newCluster(clock)
      const operator = await start(cluster, clock)
      const first = await restored(dying(cluster, at, 'after').cluster, clock, contents)
      expect(first.err, String(at)).toContain('the process died here')
      await clock.advance(20 * 60_000)
      const second = await restored(cluster, clock, contents)
      expect([second.code, second.err], String(at)).toEqual([0, ''])
      await settled(operator, cluster, clock)
      expect(await substanceOf(cluster), String(at)).toEqual(substance)
      await operator.stop()
    }
  })
})
