/** Whatever comes to pass in rotations, nobody is told of a key or a password: searched is all that the operator says anywhere. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import type { Resource } from './cluster/port.ts'
import { Session } from './commands/embedded/session.ts'
import { ask, rotationOf } from './operator.rotation.fixture.ts'
import { profileServer } from './operator.servers.fixture.ts'
import { overviewHandler } from './overview/handler.ts'
import { encodePem } from './pki/encoding/pem.ts'
import { makeRoot, opensslVersion } from './pki/testing.ts'
import { type Condition, findCondition, isReady } from './resources/conditions.ts'
import { configMaps, type Secret, secrets } from './resources/core.ts'
import { databaseTLSProfiles } from './resources/database-tls-profile.ts'
import { kinds } from './resources/kinds.ts'
import { systemClock } from './runtime/clock.ts'
import { createMetrics } from './runtime/metrics.ts'
import { Canaries, recordingLogger } from './said.fixture.ts'
import {
  authority,
  certificate,
  getAuthority,
  getCertificate,
  getSecret,
  namespace,
  person,
  profile,
  put,
  secretOf,
  text,
} from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'dbtls-said-'))
afterAll(() => rmSync(folder, { recursive: true }))

const passphrases = { first: 'the-first-passphrase-of-ca', wrong: 'a-wrong-passphrase-of-ca' }
const readable: readonly Resource[] = [configMaps, ...kinds.map(({ resource }) => resource)]

/** An operator on a real clock, for servers know no other, and everything that it has said up to now. */
const started = async () => {
  const log: string[] = []
  const events: string[] = []
  const metrics = createMetrics()
  const session = new Session({
    ...{ state: undefined, clock: systemClock(), log: recordingLogger(log), metrics, workers: 4 },
    ...{ namespaces: undefined, asksServers: true },
    events: { record: ({ regarding, ...event }) => void events.push(inspect([regarding.metadata, event])) },
  })
  await session.start()
  const { cluster, operator } = session
  const page = overviewHandler({ caches: operator.caches, now: () => Date.now() })
  const canaries = new Canaries()
  const said = new Map<string, string>()
  const look = async (): Promise<void> => {
    for (const secret of (await cluster.list(secrets, { namespace })).items) {
      canaries.learn(secret)
      const { data: _, ...rest } = secret
      said.set(JSON.stringify(rest), `Secret ${secret.metadata.name}`)
    }
    for (const resource of readable)
      for (const object of (await cluster.list(resource, { namespace })).items)
        said.set(JSON.stringify(object), `${object.kind} ${object.metadata.name}`)
    // Most of them stay as they are.
    for (const line of (await metrics.registry.metrics()).split('\n')) said.set(line, 'metrics')
    for (const line of String((await page('/', {} as never))?.body).split('\n')) said.set(line, 'the page')
  }
  const all = (): (readonly [name: string, text: string])[] => [
    ...[...said].map(([what, name]) => [name, what] as const),
    ...log.map((line) => ['the log', line] as const),
    ...events.map((event) => ['an event', event] as const),
  ]
  const until = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
    for (const end = Date.now() + 90_000; Date.now() < end; await sleep(50)) {
      await look()
      if (await isSo()) return
    }
    throw new Error(`timed out: ${what}: ${inspect((await getAuthority(cluster)).status, { depth: 5 })}`)
  }
  return { session, cluster, canaries, all, until, log, events }
}

const readyOf = ({
  status,
}: {
  status?: { conditions?: Condition[] | undefined } | undefined
}): Condition | undefined => findCondition(status?.conditions, 'Ready')

const items = ['CertificateChain', 'PrivateKey', 'TrustBundle', 'PKCS12Keystore', 'JKSKeystore', 'EncryptedPrivateKey']
const keystores = {
  secret: { name: 'client-tls', items: items.map((content, at) => ({ key: `file${at}.pem`, content })) },
  keystore: { passwordSecretRef: { name: 'stores' } },
  ...{ role: 'Client', subject: { commonName: 'app' }, dnsNames: [] },
}

describe.skipIf(opensslVersion === undefined)('in rotations that meet every trouble', () => {
  it('no key and no password is said in logs, events, objects, metrics or on the page', async () => {
    const { session, cluster, canaries, all, until, log, events } = await started()
    await using _ = { [Symbol.asyncDispose]: () => session.stop() }
    await using live = await profileServer(cluster, folder)
    const keep = (name: string, data: Record<string, string>) => cluster.apply(secrets, secretOf(name, data), person)
    const passphrase = (value: string) => keep('p', { passphrase: value })
    await passphrase(passphrases.first)
    await keep('stores', { password: 'the-password-of-keystores' })
    const foreign = await makeRoot({ commonName: 'of others', now: Date.now() })
    await keep('taken-tls', { 'tls.key': encodePem('PRIVATE KEY', foreign.key.pkcs8) })

    const protectedBy = { privateKey: { passphraseSecretRef: { name: 'p' } }, crl: {} }
    await put(cluster, authority({ ...protectedBy, rotation: { trustSoak: '0s', dropSoak: '0s' } }))
    await put(cluster, certificate(keystores, 'client'))
    await put(cluster, certificate({}, 'taken'))
    const probe = { interval: '1s', endpoints: [`127.0.0.1:${live.port}`] }
    const topology = { services: ['orders'], extraIPAddresses: ['127.0.0.1'] }
    await put(cluster, profile({ engine: 'Redis', clients: [{ name: 'app' }], topology, probe }))
    const isProved = (...proofs: readonly string[]) =>
      until(`the server to say ${proofs.join(' or ')}`, async () => {
        const { status } = await cluster.get(databaseTLSProfiles, { namespace, name: 'orders' })
        return status?.endpoints?.some(({ trustProof = '' }) => proofs.includes(trustProof)) === true
      })
    await until('the profile to be Ready', async () =>
      isReady(await cluster.get(databaseTLSProfiles, { namespace, name: 'orders' })),
    )
    await until('a client with keystores', async () => isReady(await getCertificate(cluster, 'client')))
    await until('a Secret of others to be left alone', async () => {
      const reason = readyOf(await getCertificate(cluster, 'taken'))?.reason
      return reason === 'SecretInTheWay'
    })
    await live.restart()
    await isProved('Proved')

    /** Is told of, and cured again. */
    const trouble = async (reason: string, make: () => Promise<unknown>, cure: () => Promise<unknown>) => {
      await make()
      await until(reason, async () => readyOf(await getAuthority(cluster))?.reason === reason)
      await sleep(500)
      await cure()
      await until('it to be cured', async () => isReady(await getAuthority(cluster)))
    }
    const wrongPassphrase = () =>
      trouble(
        'PassphraseWrong',
        () => passphrase(passphrases.wrong),
        () => passphrase(passphrases.first),
      )
    /** A Secret of the CA with one key that is not what it was. */
    const unreadable = async (key: string, broken: (pem: string) => string) => {
      const whole = await getSecret(cluster, 'ca-ca')
      const as = (data: Secret['data']) => {
        const { name, labels = {}, annotations = {} } = whole.metadata
        const object = { ...whole, metadata: { name, namespace, labels, annotations }, data }
        return cluster.apply(secrets, object as Secret, { fieldManager: 'backup-tool', force: true })
      }
      const value = Buffer.from(broken(text(whole, key))).toString('base64')
      await trouble(
        'AuthoritySecretInvalid',
        () => as({ ...whole.data, [key]: value }),
        () => as(whole.data),
      )
    }
    const inPhase = (phase: string) =>
      until(`the phase ${phase}`, async () => (await rotationOf(cluster)).phase === phase)
    const says = (words: string) =>
      until(`"${words}"`, async () => (await rotationOf(cluster)).message?.includes(words) === true)

    await ask(cluster, { trigger: 'one' })
    await inPhase('TrustBoth')
    await isProved('Refused')
    await says('has not proved')
    await wrongPassphrase()
    await unreadable('tls.key', (pem) => pem.replace(/\n/g, '!\n'))
    await unreadable('tls.key', (pem) => pem.slice(0, 200))
    await unreadable('tls.key', () => encodePem('PRIVATE KEY', foreign.key.pkcs8))

    await until('both to be delivered', async () => {
      const bundle = text(await getSecret(cluster, 'orders-server-tls'), 'ca.crt')
      return bundle.split('BEGIN CERTIFICATE').length === 3
    })
    await live.restart()
    await inPhase('Signing')
    await wrongPassphrase()
    await unreadable('tls.key', (pem) => pem.slice(0, 200))
    await until('a new certificate of the server', async () => {
      const { status } = await getCertificate(cluster, 'orders-server')
      return status?.authorityFingerprint === (await getAuthority(cluster)).status?.certificate?.fingerprint
    })
    await live.restart()
    await inPhase('Dropped')
    await until('the former CA to be gone', async () => {
      const bundle = text(await getSecret(cluster, 'orders-server-tls'), 'ca.crt')
      return bundle.split('BEGIN CERTIFICATE').length === 2
    })
    await live.restart()
    await isProved('Proved')

    // One without servers, to its end.
    const other = (): ReturnType<typeof rotationOf> => rotationOf(cluster, 'other')
    await put(cluster, authority({ ...protectedBy, rotation: { trustSoak: '0s', dropSoak: '0s' } }, 'other'))
    await put(cluster, certificate({ authorityRef: { name: 'other' } }, 'of-other'))
    await until('another certificate', async () => isReady(await getCertificate(cluster, 'of-other')))
    await ask(cluster, { trigger: 'two', reason: 'Compromised', holdAt: 'TrustBoth' }, 'other')
    await until('another rotation', async () => (await other()).message?.includes('Held at') === true)
    await passphrase(passphrases.wrong)
    await ask(cluster, { holdAt: '' }, 'other')
    await until('a word', async () => (await other()).message?.includes('The next step was not taken') === true)
    await passphrase(passphrases.first)
    await until('the end', async () => {
      const { phase, trigger } = await other()
      return phase === 'Idle' && trigger === 'two'
    })

    expect(canaries.foundIn(all())).toEqual([])
    // It was there, and it was looked at.
    const everything = all()
      .map(([name, what]) => `${name} ${what}`)
      .join('\n')
    for (const part of ['PassphraseWrong', 'AuthoritySecretInvalid', 'SecretInTheWay', 'RotationFailed'])
      expect(everything).toContain(part)
    expect(everything).toContain('dbtls_authority_rotation_phase')
    expect(everything).toContain('the page <!doctype html>')
    expect(canaries.size).toBeGreaterThan(8)
    expect(log.length).toBeGreaterThan(0)
    expect(events.length).toBeGreaterThan(10)
  }, 600_000)
})
