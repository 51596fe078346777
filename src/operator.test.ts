import { randomBytes, webcrypto } from 'node:crypto'
import { setTimeout as realSleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { EmbeddedCluster } from './cluster/embedded/cluster.ts'
import { ApiError } from './cluster/errors.ts'
import type { Occurrence } from './cluster/events.ts'
import type { Cluster, KubeObject, Resource } from './cluster/port.ts'
import { embeddedKinds } from './commands/embedded-kinds.ts'
import { Operator } from './operator.ts'
import { certificatesOf } from './pki/pem.ts'
import { parseCertificate, signatureVerifies } from './pki/parse.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { isReady } from './resources/conditions.ts'
import { secrets, type Secret } from './resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from './resources/database-certificate.ts'
import { issuedCertificates } from './resources/issued-certificate.ts'
import { silentLogger } from './runtime/log.ts'
import { ManualClock } from './runtime/manual-clock.ts'
import { createMetrics } from './runtime/metrics.ts'

const day = 24 * 3_600_000
const person = { fieldManager: 'kubectl', force: true }

type WriteVerb = 'create' | 'update' | 'updateStatus' | 'apply' | 'delete'
interface Write {
  readonly verb: WriteVerb
  readonly plural: string
}

/** Counts the writes that pass, and lets one of them fail the way a killed process sees it. */
const watched = (cluster: Cluster) => {
  const writes: Write[] = []
  let failing: { readonly at: number; readonly when: 'before' | 'after' } | undefined
  let dead = false
  const crash = (): never => {
    dead = true
    throw new ApiError({ status: 0, reason: 'Crashed', message: 'the process died here', ambiguous: true })
  }
  const guarded = (verb: WriteVerb) =>
    (async (...args: unknown[]) => {
      if (dead) crash()
      const plural = (args[0] as Resource).plural
      const number = writes.length + 1
      if (failing?.at === number && failing.when === 'before') crash()
      const answer: unknown = await (cluster[verb] as (...args: unknown[]) => Promise<unknown>).apply(cluster, args)
      writes.push({ verb, plural })
      if (failing?.at === number && failing.when === 'after') crash()
      return answer
    }) as never
  const port: Cluster = {
    get: (...args) => cluster.get(...args),
    list: (...args) => cluster.list(...args),
    watch: (...args) => cluster.watch(...args),
    create: guarded('create'),
    update: guarded('update'),
    updateStatus: guarded('updateStatus'),
    apply: guarded('apply'),
    delete: guarded('delete'),
  }
  return {
    port,
    writes,
    dieAt: (at: number, when: 'before' | 'after') => void (failing = { at, when }),
    get dead() {
      return dead
    },
  }
}

const opened: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.stop()
})

const newCluster = (clock: ManualClock): EmbeddedCluster => new EmbeddedCluster({ kinds: embeddedKinds(), clock })

const start = async (cluster: Cluster, clock: ManualClock) => {
  const seen = watched(cluster)
  const events: Occurrence[] = []
  const stopping = new AbortController()
  const operator = new Operator({
    cluster: seen.port,
    clock,
    crypto: webcrypto,
    randomBytes: (size) => randomBytes(size),
    random: () => 0.5,
    log: silentLogger(),
    metrics: createMetrics(),
    events: { record: (occurrence) => void events.push(occurrence), stop: () => Promise.resolve() },
    workers: 4,
  })
  await operator.startCaches(stopping.signal)
  operator.startControllers()
  const stop = async (): Promise<void> => {
    stopping.abort()
    const stopped = operator.stop()
    await realSleep(1)
    await clock.advance(20_000)
    await stopped
  }
  opened.push({ stop })
  return {
    operator,
    events,
    stop,
    ...seen,
    get dead() {
      return seen.dead
    },
  }
}

/** Real time passes for crypto on the thread pool; the manual clock stands still meanwhile. */
const until = async <T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> => {
  for (let tries = 0; tries < 2000; tries += 1) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await realSleep(2)
  }
  throw new Error(`timed out: ${what}`)
}

/** Days go by: the wall clock jumps, and then the longest wait of a queue passes, so that everything is looked at again. */
const pass = async (clock: ManualClock, ms: number): Promise<void> => {
  clock.setNow(clock.now() + ms)
  await clock.advance(12 * 3_600_000)
}

const quiet = async (operator: Operator): Promise<void> => {
  for (let calm = 0; calm < 5; calm = operator.pending === 0 ? calm + 1 : 0) await realSleep(2)
}

const namespace = 'data'
const authority = (spec: object = {}, name = 'ca'): KubeObject =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'CertificateAuthority',
    metadata: { name, namespace },
    spec: { source: { selfSigned: {} }, subject: { commonName: `${name} of tests` }, ...spec },
  }) as unknown as KubeObject

const certificate = (spec: object = {}, name = 'orders'): KubeObject =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseCertificate',
    metadata: { name, namespace },
    spec: { authorityRef: { name: 'ca' }, dnsNames: [`${name}.data.svc`], secret: { name: `${name}-tls` }, ...spec },
  }) as unknown as KubeObject

const put = (cluster: Cluster, object: KubeObject): Promise<unknown> =>
  cluster.apply(
    object.kind === 'CertificateAuthority' ? certificateAuthorities : (databaseCertificates as Resource),
    object,
    person,
  )

const getCertificate = (cluster: Cluster, name = 'orders'): Promise<DatabaseCertificate> =>
  cluster.get(databaseCertificates, { namespace, name })
const getSecret = (cluster: Cluster, name = 'orders-tls'): Promise<Secret> => cluster.get(secrets, { namespace, name })
const ready = (cluster: Cluster, name = 'orders'): Promise<DatabaseCertificate> =>
  until(`${name} to be Ready`, async () => {
    const found = await getCertificate(cluster, name)
    return isReady(found) && found.status?.observedGeneration === found.metadata.generation && found
  })
const stalled = (cluster: Cluster, name = 'orders') =>
  until(`${name} to stall`, async () =>
    (await getCertificate(cluster, name)).status?.conditions?.find(({ type }) => type === 'Stalled'),
  )
const leafOf = (secret: Secret) => {
  const [der] = certificatesOf(Buffer.from(secret.data?.['tls.crt'] ?? '', 'base64').toString())
  if (der === undefined) throw new Error('no certificate')
  return parseCertificate(der)
}
const text = (secret: Secret, key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString()

describe('an issuance', () => {
  it('is three writes and one event, and then nothing more is written', async () => {
    const clock = new ManualClock()
    const cluster = newCluster(clock)
    const { operator, writes, events } = await start(cluster, clock)
    await put(cluster, authority())
    await until('the CA', async () => isReady(await cluster.get(certificateAuthorities, { namespace, name: 'ca' })))
    await quiet(operator)
    const [before, told] = [writes.length, events.length]
    await put(cluster, certificate())
    await ready(cluster)
    await quiet(operator)
    expect(writes.slice(before)).toEqual([
      { verb: 'create', plural: 'issuedcertificates' },
      { verb: 'apply', plural: 'secrets' },
      { verb: 'updateStatus', plural: 'databasecertificates' },
    ])
    expect(events.slice(told).map(({ reason }) => reason)).toEqual(['Issued'])
    await clock.advance(13 * 3_600_000)
    await quiet(operator)
    expect(writes.length).toBe(before + 3)
  })

  it('works whatever order the manifests come in', async () => {
    const clock = new ManualClock()
    const cluster = newCluster(clock)
    await start(cluster, clock)
    await put(cluster, certificate())
    expect((await stalled(cluster)).reason).toBe('AuthorityNotFound')
    await put(cluster, authority())
    const { status } = await ready(cluster)
    expect(status?.serialNumber).toBe(leafOf(await getSecret(cluster)).serialNumber)
  })

  it('is not repeated by a restart', async () => {
    const clock = new ManualClock()
    const cluster = newCluster(clock)
    const first = await start(cluster, clock)
    await put(cluster, authority())
    await put(cluster, certificate())
    await ready(cluster)
    await quiet(first.operator)
    await first.stop()
    const second = await start(cluster, clock)
    await quiet(second.operator)
    expect(second.writes).toEqual([])
  })
})

const issuedOnce = async (spec: object = {}, authoritySpec: object = {}) => {
  const clock = new ManualClock()
  const cluster = newCluster(clock)
  const running = await start(cluster, clock)
  await put(cluster, authority(authoritySpec))
  await put(cluster, certificate(spec))
  const { status } = await ready(cluster)
  await quiet(running.operator)
  const serial = status?.serialNumber
  const anotherSerial = () =>
    until('another serial number', async () => {
      const found = await getCertificate(cluster)
      return isReady(found) && found.status?.serialNumber !== serial && found
    })
  return { clock, cluster, ...running, serial, anotherSerial }
}

describe('a renewal', () => {
  it('happens by itself when a third of the life is left, and is on record with what it replaced', async () => {
    const { clock, cluster, operator, serial, anotherSerial } = await issuedOnce({ duration: '90d' })
    await pass(clock, 56 * day)
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    await pass(clock, 5 * day)
    const renewed = await anotherSerial()
    const { items } = await cluster.list(issuedCertificates, { namespace })
    const entry = items.find(({ spec }) => spec.serialNumber === renewed.status?.serialNumber)
    expect(entry?.spec.supersedes?.serialNumber).toBe(serial)
    expect(renewed.status?.revision).toBe(2)
    await clock.advance(11 * 60_000)
    await until('the mark', async () => {
      const found = (await cluster.list(issuedCertificates, { namespace })).items.find(
        (one) => one.spec.serialNumber === serial,
      )
      return found?.status?.state === 'Superseded' && found.metadata.labels?.['dbtls.dev/state'] === 'Superseded'
    })
  })

  it('follows a changed trigger at once', async () => {
    const { cluster, anotherSerial } = await issuedOnce()
    await put(cluster, certificate({ renewTrigger: '2026-11-21' }))
    await anotherSerial()
  })

  it('keeps the key where the spec says Never', async () => {
    const { cluster, anotherSerial } = await issuedOnce({ privateKey: { rotation: 'Never' } })
    const key = text(await getSecret(cluster), 'tls.key')
    await put(cluster, certificate({ privateKey: { rotation: 'Never' }, renewTrigger: '1' }))
    await anotherSerial()
    expect(text(await getSecret(cluster), 'tls.key')).toBe(key)
  })

  it('never outlives the authority', async () => {
    const { cluster } = await issuedOnce({ duration: '365d' }, { duration: '100d', renewBefore: '10d' })
    const ca = await cluster.get(certificateAuthorities, { namespace, name: 'ca' })
    expect((await getCertificate(cluster)).status?.notAfter).toBe(ca.status?.certificate?.notAfter)
  })
})

describe('a CA that is renewed with the same key', () => {
  it('keeps name and key identifier, and leaves get new trust without a new certificate', async () => {
    const { clock, cluster, operator, serial } = await issuedOnce(
      { duration: '300d', renewBefore: '1d' },
      { duration: '400d', renewBefore: '200d' },
    )
    const leaf = leafOf(await getSecret(cluster))
    const [oldRoot] = certificatesOf(text(await getSecret(cluster), 'ca.crt')).map((der) => parseCertificate(der))
    await pass(clock, 205 * day)
    const [newRoot] = await until('new trust', async () => {
      const roots = certificatesOf(text(await getSecret(cluster), 'ca.crt')).map((der) => parseCertificate(der))
      return roots[0]?.serialNumber !== oldRoot?.serialNumber && roots
    })
    await quiet(operator)
    expect(newRoot?.subject).toEqual(oldRoot?.subject)
    expect(newRoot?.subjectKeyId).toEqual(oldRoot?.subjectKeyId)
    expect(newRoot?.notAfter).toBeGreaterThan(oldRoot?.notAfter ?? Infinity)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    expect(signatureVerifies(leaf, newRoot?.subject as Uint8Array, newRoot?.spki as Uint8Array)).toBe(true)
  })

  it('takes an intermediate and its leaves along in their chains', async () => {
    const clock = new ManualClock()
    const cluster = newCluster(clock)
    const { operator } = await start(cluster, clock)
    await put(cluster, authority({ maxPathLength: 1, duration: '400d', renewBefore: '200d' }, 'root'))
    await put(
      cluster,
      authority({ source: { intermediate: { authorityRef: { name: 'root' } } }, duration: '390d', renewBefore: '1d' }),
    )
    await put(cluster, certificate({ duration: '380d', renewBefore: '1d' }))
    const before = await ready(cluster)
    const chain = certificatesOf(text(await getSecret(cluster), 'tls.crt'))
    expect(chain).toHaveLength(2)
    await pass(clock, 205 * day)
    await until('the new root in ca.crt', async () => {
      const [root] = certificatesOf(text(await getSecret(cluster), 'ca.crt'))
      const ca = await cluster.get(certificateAuthorities, { namespace, name: 'root' })
      return (
        root !== undefined &&
        parseCertificate(root).serialNumber === ca.status?.certificate?.serialNumber &&
        parseCertificate(root).notBefore > clock.now() - 10 * day
      )
    })
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(before.status?.serialNumber)
  })
})

describe('a Secret that is changed from outside', () => {
  const spec = {
    secret: {
      name: 'orders-tls',
      items: [
        { key: 'tls.crt', content: 'CertificateChain' },
        { key: 'tls.key', content: 'PrivateKey' },
        { key: 'ca.crt', content: 'TrustBundle' },
        { key: 'keystore.p12', content: 'PKCS12Keystore' },
      ],
    },
  }
  const tamper = async (cluster: Cluster, change: (secret: Secret) => Secret): Promise<Secret> =>
    cluster.update(secrets, change(await getSecret(cluster)), { fieldManager: 'somebody' })
  const withKey = (key: string, value: string) => (secret: Secret) => ({
    ...secret,
    data: { ...secret.data, [key]: value },
  })
  const junk = Buffer.from('junk').toString('base64')

  it.each([
    { name: 'a truncated certificate is issued anew', change: withKey('tls.crt', junk), issues: false },
    { name: 'a swapped key is issued anew', change: withKey('tls.key', junk), issues: false },
    { name: 'a damaged bundle is written again', change: withKey('ca.crt', junk), issues: false },
    { name: 'a damaged keystore is written again', change: withKey('keystore.p12', junk), issues: false },
  ])('$name', async ({ change }) => {
    const { cluster, operator } = await issuedOnce(spec)
    const good = await getSecret(cluster)
    await tamper(cluster, change)
    const mended = await until('the Secret to be mended', async () => {
      const found = await getSecret(cluster)
      return Object.values(found.data ?? {}).every((value) => value !== junk) && found
    })
    await quiet(operator)
    expect(Object.keys(mended.data ?? {}).toSorted()).toEqual(Object.keys(good.data ?? {}).toSorted())
    expect(isReady(await getCertificate(cluster))).toBe(true)
  })

  it('is made again when it is deleted', async () => {
    const { cluster, anotherSerial } = await issuedOnce(spec)
    await cluster.delete(secrets, { namespace, name: 'orders-tls' })
    await anotherSerial()
    await getSecret(cluster)
  })

  it("keeps other people's keys, labels and annotations through a renewal", async () => {
    const { cluster, anotherSerial } = await issuedOnce(spec)
    await tamper(cluster, (secret) => ({
      ...secret,
      metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, theirs: 'yes' } },
      data: { ...secret.data, 'their.key': junk },
    }))
    await put(cluster, certificate({ ...spec, renewTrigger: '1' }))
    await anotherSerial()
    const secret = await getSecret(cluster)
    expect(secret.metadata.labels?.['theirs']).toBe('yes')
    expect(secret.data?.['their.key']).toBe(junk)
  })

  it('costs no write when only a foreign label was added', async () => {
    const { cluster, operator, writes } = await issuedOnce(spec)
    const before = writes.length
    await tamper(cluster, (secret) => ({
      ...secret,
      metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, theirs: 'yes' } },
    }))
    await realSleep(20)
    await quiet(operator)
    expect(writes.length).toBe(before)
  })
})

describe('a change that needs no new certificate', () => {
  const items = [
    { key: 'tls.crt', content: 'CertificateChain' },
    { key: 'tls.key', content: 'PrivateKey' },
    { key: 'keystore.p12', content: 'PKCS12Keystore', alias: 'one' },
  ]
  const base = { secret: { name: 'orders-tls', items }, keystore: { passwordSecretRef: { name: 'p' } } }
  const password = (value: string): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'p', namespace },
    stringData: { password: value },
  })

  it.each([
    {
      name: 'another alias',
      spec: {
        ...base,
        secret: { name: 'orders-tls', items: items.map((item) => (item.alias ? { ...item, alias: 'two' } : item)) },
      },
    },
    { name: 'another profile', spec: { ...base, keystore: { ...base.keystore, pkcs12Profile: 'LegacyDES' } } },
    {
      name: 'an item more',
      spec: { ...base, secret: { name: 'orders-tls', items: [...items, { key: 'all.pem', content: 'KeyThenChain' }] } },
    },
    { name: 'an item less', spec: { ...base, secret: { name: 'orders-tls', items: items.slice(0, 2) } } },
    { name: 'a label', spec: { ...base, secret: { ...base.secret, labels: { team: 'orders' } } } },
    { name: 'another password', spec: base, password: 'other-password' },
  ])('$name writes the Secret again with the same certificate', async ({ spec, password: next }) => {
    const clock = new ManualClock()
    const cluster = newCluster(clock)
    const { operator } = await start(cluster, clock)
    await cluster.apply(secrets, password('first-password'), person)
    await put(cluster, authority())
    await put(cluster, certificate(base))
    const before = await ready(cluster)
    await quiet(operator)
    const old = await getSecret(cluster)
    await (next === undefined ? put(cluster, certificate(spec)) : cluster.apply(secrets, password(next), person))
    await until(
      'another version',
      async () => (await getSecret(cluster)).metadata.resourceVersion !== old.metadata.resourceVersion,
    )
    await quiet(operator)
    const after = await ready(cluster)
    const secret = await getSecret(cluster)
    expect(after.status?.serialNumber).toBe(before.status?.serialNumber)
    expect(leafOf(secret).serialNumber).toBe(before.status?.serialNumber)
    expect(secret.data?.['keystore.p12'] !== undefined).toBe(spec.secret.items.length > 2)
    expect((await cluster.list(issuedCertificates, { namespace })).items).toHaveLength(2)
  })
})

describe('a process that dies at any write', () => {
  const manifests = [
    authority({ maxPathLength: 1 }, 'root'),
    authority({ source: { intermediate: { authorityRef: { name: 'root' } } } }),
    certificate(),
  ]
  const moments = Array.from({ length: 10 }, (_, i) => i + 1).flatMap((at) => [
    { at, when: 'before' as const },
    { at, when: 'after' as const },
  ])

  it.each(moments)('is carried on from write $at, dead $when it reached the server', async ({ at, when }) => {
    const clock = new ManualClock()
    const cluster = newCluster(clock)
    const first = await start(cluster, clock)
    first.dieAt(at, when)
    for (const manifest of manifests) await put(cluster, manifest)
    await until('the first to die or to be done', async () => first.dead || isReady(await getCertificate(cluster)))
    await first.stop()
    const second = await start(cluster, clock)
    await ready(cluster)
    await quiet(second.operator)
    const { items } = await cluster.list(issuedCertificates, { namespace })
    const serials = items.map(({ spec }) => spec.serialNumber)
    expect(new Set(serials).size).toBe(serials.length)
    expect(serials).toContain(leafOf(await getSecret(cluster)).serialNumber)
    expect(serials.length).toBeLessThanOrEqual(manifests.length + 1)
    const leaf = leafOf(await getSecret(cluster))
    const [, ca] = certificatesOf(text(await getSecret(cluster), 'tls.crt')).map((der) => parseCertificate(der))
    expect(signatureVerifies(leaf, ca?.subject as Uint8Array, ca?.spki as Uint8Array)).toBe(true)
  })
})
