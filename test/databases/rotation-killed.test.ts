/** Rotations by operators that are killed, at a real API server: at every boundary, at random moments, and one of two. No client notices. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { certificateAuthorities } from '../../src/resources/certificate-authority.ts'
import { secrets } from '../../src/resources/core.ts'
import type { Operator } from '../controlplane/harness/index.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { account } from './rotation/account.ts'
import { WatchedAuthority } from './rotation/authority.ts'
import { serialsOf } from './rotation/certificates.ts'
import { databasesOf } from './rotation/engines.ts'
import { Fleet } from './rotation/fleet.ts'
import { pairOf } from './rotation/looks.ts'
import { PlaneSite } from './rotation/plane-site.ts'
import { atNoServer, inNoFile } from './rotation/remains.ts'

const reaper = new Reaper()
const kills = 10
/** Of them in one phase: where a machine is slow in one, the others would see none. */
const mostInOne = 4
const fewestPhases = 3

/** Connections of each client in one rotation at least. They come so often that nearly all of them, or more, fit into one. */
const least = 2000
const everyMs = 30

describe('rotations by operators that are killed', () => {
  let site: PlaneSite
  let authority: WatchedAuthority
  let fleet: Fleet
  let operator: Operator
  beforeAll(async () => {
    site = await PlaneSite.start()
    operator = await site.operator()
    authority = await WatchedAuthority.create(site, { name: 'orders-ca' })
    const databases = databasesOf(['PostgreSQL', 'Valkey'], 'orders-ca')
    fleet = await Fleet.start({ site, reaper, databases, delayMs: 3000, everyMs })
    if (fleet.missing.length > 0) console.log(`not to be had here: ${fleet.missing.join(', ')}`)
  }, 900_000)
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]()
    await authority?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  const kill = async (): Promise<void> => {
    operator.sigkill()
    await operator.exited
  }

  /** A whole rotation, in the course of which `disturb` does what it wants; it is told when the rotation is over. */
  const rotation = async (title: string, disturb: (over: AbortSignal) => Promise<string>): Promise<void> => {
    const former = await authority.certificate()
    const serials = await serialsOf(site)
    const pairs = new Map(fleet.members.map(({ name, app }) => [name, pairOf(app)]))
    const since = Date.now()
    await authority.trigger()
    const over = new AbortController()
    const disturbing = disturb(over.signal)
    const finished = authority.finished()
    try {
      await Promise.race([finished, disturbing.then(() => finished)])
      over.abort()
      console.log(`${title}: ${await disturbing}`)
      await fleet.load.goOn(50)
      for (const name of fleet.load.names) await fleet.load.opened(name, least, since)
    } finally {
      over.abort()
      console.log(account(title, fleet.load, authority.phases(since), Date.now()))
    }
    for (const name of fleet.load.names) expect(fleet.load.tally(name, since).refused, name).toEqual([])
    for (const [name, serial] of await serialsOf(site)) expect(serial, name).not.toBe(serials.get(name))
    await inNoFile(fleet, former)
    await atNoServer(fleet.members, former, ({ name }) => pairs.get(name))
  }

  const database = (title: string, test: () => Promise<void>): void =>
    it(
      title,
      async (context) => {
        if (fleet.members.length === 0) return context.skip('no database can be had here')
        await test()
      },
      900_000,
    )

  /** What a crash could come between: the Secret of the CA, and its status. */
  const boundary = async (): Promise<readonly [stage: string, phase: string]> => {
    const { cluster, namespace } = site
    const [{ metadata }, { status }] = await Promise.all([
      cluster.get(secrets, { namespace, name: 'orders-ca-ca' }),
      cluster.get(certificateAuthorities, { namespace, name: 'orders-ca' }),
    ])
    return [metadata.annotations?.['dbtls.dev/rotation-stage'] ?? 'Plain', status?.rotation?.phase ?? 'Idle']
  }

  database('go on where they were after SIGKILL at every boundary', () =>
    rotation('killed at boundaries', async (over) => {
      // As it is found when nobody acts any more: what is looked at before may be a step behind.
      const seen: (readonly [stage: string, phase: string])[] = []
      let last = 'Plain,Idle'
      const killAndGoOn = async (): Promise<void> => {
        await kill()
        const found = await boundary()
        seen.push(found)
        last = String(found)
        operator = await site.operator()
      }
      while (!over.aborted)
        if (String(await boundary()) === last) await sleep(5)
        else await killAndGoOn()
      // The end may be seen by others first.
      if (String(await boundary()) !== last) await killAndGoOn()
      // Prepared is over in a moment.
      expect(seen.map(([, phase]) => phase)).toEqual(
        expect.arrayContaining(['TrustBoth', 'Signing', 'DropSoak', 'Dropped', 'Idle']),
      )
      return seen.map(String).join(' ')
    }),
  )

  database(`go on where they were after SIGKILL at ${kills} random moments`, async () => {
    // Most of them come before it can be over.
    await authority.ask({ holdAt: 'DropSoak' })
    await rotation('killed at random', async (over) => {
      const seen: (readonly [stage: string, phase: string])[] = []
      const isFull = (phase: string): boolean => seen.filter(([, one]) => one === phase).length >= mostInOne
      let held = true
      while (seen.length < kills) {
        const [, phase] = await boundary()
        if (held && (seen.length >= kills - 2 || (phase === 'DropSoak' && isFull(phase)))) {
          held = false
          await authority.ask({ holdAt: '' })
        }
        if (isFull(phase) && !over.aborted) {
          await sleep(20)
          continue
        }
        await sleep(Math.random() * 12_000)
        await kill()
        seen.push(await boundary())
        operator = await site.operator()
      }
      const phases = new Set(seen.map(([, phase]) => phase))
      expect(phases.size, [...phases].join()).toBeGreaterThanOrEqual(fewestPhases)
      return seen.map(String).join(' ')
    })
  })

  database('are held by kubectl apply, and released and finished when the leader of two is killed', async () => {
    await kill()
    operator = await site.candidate('first')
    await eventually('the first to lead', async () => (await site.leader()).startsWith('first_'))
    await site.candidate('second')
    await authority.ask({ holdAt: 'TrustBoth' })
    await rotation('one of two killed', async () => {
      await authority.until('TrustBoth')
      await kill()
      await eventually('the second to lead', async () => (await site.leader()).startsWith('second_'), {
        timeoutMs: 120_000,
      })
      operator = await site.candidate('third')
      await authority.says(/All is seen. Held at/)
      await fleet.load.goOn(50)
      expect(authority.phase).toBe('TrustBoth')
      await authority.ask({ holdAt: '' })
      return 'killed in TrustBoth, released and finished under the second'
    })
  })
})
