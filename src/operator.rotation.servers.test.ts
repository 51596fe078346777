/** A rotation and the servers of a profile: what live servers show moves it, and nothing else does. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { Session } from './commands/embedded/session.ts'
import { profileServer } from './operator.servers.fixture.ts'
import { opensslVersion } from './pki/testing.ts'
import { certificateAuthorities, type CertificateAuthority } from './resources/certificate-authority.ts'
import { isReady } from './resources/conditions.ts'
import { databaseTLSProfiles, type DatabaseTLSProfile } from './resources/database-tls-profile.ts'
import { systemClock } from './runtime/clock.ts'
import { silentLogger } from './runtime/log.ts'
import { createMetrics } from './runtime/metrics.ts'
import { authority, getAuthority, getSecret, namespace, person, profile, text } from './testing.ts'

const sessions: Session[] = []
afterEach(async () => {
  for (const session of sessions.splice(0)) await session.stop()
})
const folder = mkdtempSync(join(tmpdir(), 'dbtls-rotating-'))
afterAll(() => rmSync(folder, { recursive: true }))

const soaks = { trustSoak: '0s', dropSoak: '0s' }
const applyAuthority = (cluster: Cluster, name: string, spec: object) =>
  cluster.apply(certificateAuthorities, authority(spec, name) as never, person)

/** As `dbtls run` has it, on a real clock, for servers know no other. `above`: names of the CAs over that of the profile, the root first. */
const started = async (above: readonly string[]) => {
  const session = new Session({
    ...{ state: undefined, clock: systemClock(), log: silentLogger(), metrics: createMetrics(), workers: 4 },
    ...{ namespaces: undefined, events: { record: () => undefined }, asksServers: true },
  })
  sessions.push(session)
  await session.start()
  const { cluster } = session
  for (const [depth, name] of [...above, 'ca'].entries()) {
    const parent = above[depth - 1]
    const source = parent === undefined ? {} : { source: { intermediate: { authorityRef: { name: parent } } } }
    await applyAuthority(cluster, name, { ...source, maxPathLength: above.length - depth, rotation: soaks })
  }
  return cluster
}

const until = async <T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> => {
  for (const end = Date.now() + 90_000; Date.now() < end;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await sleep(50)
  }
  throw new Error(`timed out: ${what}`)
}

const profileOf = (cluster: Cluster): Promise<DatabaseTLSProfile> =>
  cluster.get(databaseTLSProfiles, { namespace, name: 'orders' })

/** One server, that is asked at this address; ends when there are files for it. */
const applyProfile = async (cluster: Cluster, address: string): Promise<void> => {
  const spec = {
    ...{ engine: 'Redis', authorityRef: { name: 'ca' }, clients: [{ name: 'app' }] },
    topology: { services: ['orders'], extraIPAddresses: ['127.0.0.1'] },
    probe: { interval: '1s', endpoints: [address] },
  }
  await cluster.apply(databaseTLSProfiles, profile(spec) as never, person)
  await until('the profile to be Ready', async () => isReady(await profileOf(cluster)))
}

describe.skipIf(opensslVersion === undefined)('a rotation', () => {
  it.each([
    ['of the CA of clients', undefined],
    ['of the root above it', 'root'],
  ])(
    '%s goes on when live servers have proved that they trust the next one, and serve what it signed',
    async (_, above) => {
      const cluster = await started(above === undefined ? [] : [above])
      const rotating = above ?? 'ca'
      await using live = await profileServer(cluster, folder)
      const address = `127.0.0.1:${live.port}`
      await applyProfile(cluster, address)
      const former = await live.restart()
      const row = (standing: string, trustProof: string) =>
        until(`a row that says ${standing} and ${trustProof}`, async () => {
          const [found] = (await profileOf(cluster)).status?.endpoints ?? []
          return found?.standing === standing && found.trustProof === trustProof && found
        })
      expect(await row('Serving', 'Proved')).toMatchObject({ clientAuthority: 'data/ca', servedSerial: former })

      const rotation = async (): Promise<NonNullable<NonNullable<CertificateAuthority['status']>['rotation']>> => {
        const { status } = await getAuthority(cluster, rotating)
        return status?.rotation ?? { phase: 'Idle' }
      }
      const phase = (wanted: string) =>
        until(`the phase ${wanted}`, async () => {
          const found = await rotation()
          return found.phase === wanted && found
        })
      await applyAuthority(cluster, rotating, { rotation: { ...soaks, trigger: 'one' } })
      const { from, to } = await phase('TrustBoth')
      const refused = await row('Serving', 'Refused')
      expect(refused).toMatchObject({
        trusts: [from],
        message: expect.stringContaining('not trust the next CA') as string,
      })
      await until('the rotation to name it', async () => (await rotation()).message?.includes(address))
      const bundle = async (): Promise<number> =>
        text(await getSecret(cluster, 'orders-server-tls'), 'ca.crt').split('BEGIN CERTIFICATE').length - 1
      await until('both to be delivered', async () => (await bundle()) === 2)
      await sleep(3000)
      expect((await rotation()).phase, 'delivered is not loaded').toBe('TrustBoth')
      await live.restart()

      await phase('Signing')
      // The leaves of a CA below keep their keys and its signature. What is new is the chain of that CA, which servers have to read before
      // the former root goes.
      if (above !== undefined) {
        // By its number the certificate is the one that it should serve.
        const shown = await row('Old', 'Proved')
        expect(shown.servedSerial).toBe(former)
        expect(shown.message).toContain('with the chain of the former CA')
        const waits = await until('the rotation to wait for the server', async () => {
          const found = await rotation()
          return found.pending?.reloads === 1 && found.pending.endpoints === 1 && found
        })
        expect(waits.message).toContain(`another certificate or chain than the delivered one: data/orders: ${address}`)
        await sleep(3000)
        expect((await rotation()).phase, 'a former chain is still served').toBe('Signing')
        expect(await live.restart(), 'the same certificate').toBe(former)
        expect((await row('Serving', 'Proved')).verifiesUnder).toBe(to)
        await until('it to be waited for no more', async () => ((await rotation()).pending?.endpoints ?? 0) === 0)
        return
      }
      const proved = await row('Old', 'Proved')
      expect(proved.trusts).toContain(to)
      expect(proved.servedSerial).toBe(former)
      await sleep(3000)
      expect((await rotation()).phase, 'a former certificate is still served').toBe('Signing')
      expect(await live.restart()).not.toBe(former)
      // From here nobody can see what the server has loaded: it is given the time that files take.
      await phase('Dropped')
      await until('the former CA to be gone', async () => (await bundle()) === 1)
      await until('the rotation to wait for the server', async () => (await rotation()).pending?.reloads === 1)
      await until('the profile to say for what', async () => {
        const [entry] = (await profileOf(cluster)).status?.reload?.authorities ?? []
        return entry?.delivered === (await getAuthority(cluster)).status?.trustBundleHash && entry?.name === 'data/ca'
      })
      const served = await live.restart()
      const last = await until('a row of the end', async () => {
        const found = await row('Serving', 'Proved')
        return found.servedSerial === served && !found.trusts?.includes(from ?? '') && found
      })
      expect(last.trusts).toEqual([(await getAuthority(cluster)).status?.certificate?.fingerprint])
    },
  )

  it('of a CA between the root and that of a server waits for no chain: whoever trusts the root takes the former one', async () => {
    const cluster = await started(['root', 'middle'])
    await using live = await profileServer(cluster, folder)
    await applyProfile(cluster, `127.0.0.1:${live.port}`)
    const served = await live.restart()
    const row = async () => (await profileOf(cluster)).status?.endpoints?.[0]
    await until('it to be served', async () => (await row())?.trustProof === 'Proved')
    const chain = async () => text(await getSecret(cluster, 'orders-server-tls'), 'tls.crt')
    const [before, former] = [await chain(), (await getAuthority(cluster, 'middle')).status?.certificate?.fingerprint]
    const said = new Set<string>()
    await applyAuthority(cluster, 'middle', {
      ...{ source: { intermediate: { authorityRef: { name: 'root' } } }, maxPathLength: 1 },
      rotation: { ...soaks, trigger: 'one' },
    })
    await until('the end of it', async () => {
      const { message = '', standing } = (await row()) ?? {}
      said.add(`${standing}: ${message.replace(/valid until .*/, '')}`)
      const { phase, trigger } = (await getAuthority(cluster, 'middle')).status?.rotation ?? {}
      return phase === 'Idle' && trigger === 'one'
    })
    expect((await getAuthority(cluster, 'middle')).status?.certificate?.fingerprint).not.toBe(former)
    expect(await chain(), 'delivered').not.toBe(before)
    expect((await row())?.servedSerial, 'never told to read it').toBe(served)
    expect([...said].filter((one) => /^Old|former|is being replaced/.test(one))).toEqual([])
  })
})
