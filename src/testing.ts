/** What the tests of the whole operator share: one in memory, on a clock moved by hand, with a CA and a certificate where they want them. Not imported by the program. */

import { randomBytes, webcrypto } from 'node:crypto'
import { setTimeout as realSleep } from 'node:timers/promises'
import { afterEach } from 'vitest'
import { EmbeddedCluster } from './cluster/embedded/cluster.ts'
import type { Occurrence } from './cluster/events.ts'
import type { Cluster, KubeObject, Resource } from './cluster/port.ts'
import { embeddedKinds } from './commands/shared/embedded-kinds.ts'
import { watched, type Write } from './faults.fixture.ts'
import { Operator } from './operator.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { parseCertificate } from './pki/certificates/parse.ts'
import { certificateAuthorities, type CertificateAuthority } from './resources/certificate-authority.ts'
import { findCondition, isReady } from './resources/conditions.ts'
import { type ConfigMap, configMaps, secrets, type Secret } from './resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from './resources/database-certificate.ts'
import { databaseTLSProfiles, type DatabaseTLSProfile } from './resources/database-tls-profile.ts'
import { issuedCertificates, type IssuedCertificate } from './resources/issued-certificate.ts'
import { silentLogger } from './runtime/log.ts'
import { ManualClock } from './runtime/manual-clock.ts'
import { createMetrics } from './runtime/metrics.ts'

export const day = 24 * 3_600_000
export const person = { fieldManager: 'kubectl', force: true }
/** Not a person who means well: a controller of others, or a slip. */
export const somebody = { fieldManager: 'somebody', force: true }

const opened: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.stop()
})

const clocks = new Set<ManualClock>()
afterEach(() => clocks.clear())

const storedMark = 'test/stored-before'

/** As if it had been stored before there was a rule that it breaks: an update that leaves it as it was is let pass. */
export const storedBefore = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, annotations: { [storedMark]: 'true' } },
})

const lenientKinds = () =>
  embeddedKinds().map(({ admit, ...kind }) => ({
    ...kind,
    admit:
      admit &&
      ((object: KubeObject, old?: KubeObject) =>
        admit(object, object.metadata.annotations?.[storedMark] === undefined ? old : object)),
  }))

export const newCluster = (clock: ManualClock): EmbeddedCluster => {
  clocks.add(clock)
  return new EmbeddedCluster({ kinds: lenientKinds(), clock })
}

export const start = async (cluster: Cluster, clock: ManualClock) => {
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
  return Object.assign(seen, { operator, events, stop })
}

/** A cluster without an operator, for what is to be there before it. */
export const emptyCluster = () => {
  const clock = new ManualClock()
  return { clock, cluster: newCluster(clock) }
}

/** An operator on a cluster of its own; `around` stands between the two. */
export const fresh = async (around: (cluster: Cluster) => Cluster = (cluster) => cluster) => {
  const { clock, cluster } = emptyCluster()
  return Object.assign(await start(around(cluster), clock), { clock, cluster })
}

/** Real time passes for crypto on the thread pool; the clock moves by milliseconds alone, so that a conflict is retried. */
export const until = async <T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> => {
  for (let tries = 0; tries < 2000; tries += 1) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await realSleep(2)
    for (const clock of clocks) await clock.advance(20)
  }
  throw new Error(`timed out: ${what}`)
}

/** Days go by: the wall clock jumps, and then the longest wait of a queue passes, so that everything is looked at again. */
export const pass = async (clock: ManualClock, ms: number): Promise<void> => {
  clock.setNow(clock.now() + ms)
  await clock.advance(12 * 3_600_000)
}

export const quiet = async (operator: Operator): Promise<void> => {
  for (let calm = 0; calm < 5; calm = operator.pending === 0 ? calm + 1 : 0) await realSleep(2)
}

/** What half a day without any change makes the operator write. */
export const writesAtRest = async ({
  clock,
  operator,
  writes,
}: Pick<Awaited<ReturnType<typeof fresh>>, 'clock' | 'operator' | 'writes'>): Promise<readonly Write[]> => {
  const before = writes.length
  await clock.advance(13 * 3_600_000)
  await quiet(operator)
  return writes.slice(before)
}

/** The same after what waits for a burst to end, and without the ledger, which is gone through in its own time. */
export const writesOfRest = async (running: Awaited<ReturnType<typeof fresh>>): Promise<readonly Write[]> => {
  await running.clock.advance(5_000)
  await quiet(running.operator)
  return (await writesAtRest(running)).filter(({ plural }) => plural !== 'issuedcertificates')
}

export const namespace = 'data'
export const authority = (spec: object = {}, name = 'ca'): KubeObject =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'CertificateAuthority',
    metadata: { name, namespace },
    spec: { source: { selfSigned: {} }, subject: { commonName: `${name} of tests` }, ...spec },
  }) as unknown as KubeObject

export const certificate = (spec: object = {}, name = 'orders'): KubeObject =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseCertificate',
    metadata: { name, namespace },
    spec: { authorityRef: { name: 'ca' }, dnsNames: [`${name}.data.svc`], secret: { name: `${name}-tls` }, ...spec },
  }) as unknown as KubeObject

export const profile = (spec: object = {}, name = 'orders'): KubeObject =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseTLSProfile',
    metadata: { name, namespace },
    spec: { engine: 'MySQL', authorityRef: { name: 'ca' }, topology: { services: [name] }, ...spec },
  }) as unknown as KubeObject

/** A CA below another one. */
export const intermediate = (spec: object = {}, name = 'ca', parent: object = { name: 'root' }): KubeObject =>
  authority({ source: { intermediate: { authorityRef: parent } }, ...spec }, name)

export const secretOf = (name: string, stringData: Record<string, string>, more: Partial<Secret> = {}): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  stringData,
  ...more,
})
export const configMapOf = (name: string, data: Record<string, string>): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
})
export const base64 = (value: string): string => Buffer.from(value).toString('base64')

const resources: Readonly<Record<string, Resource>> = {
  CertificateAuthority: certificateAuthorities,
  DatabaseTLSProfile: databaseTLSProfiles,
}

export const put = (cluster: Cluster, object: KubeObject): Promise<unknown> =>
  cluster.apply(resources[object.kind] ?? databaseCertificates, object, person)

export const getCertificate = (cluster: Cluster, name = 'orders'): Promise<DatabaseCertificate> =>
  cluster.get(databaseCertificates, { namespace, name })
export const getProfile = (cluster: Cluster, name = 'orders'): Promise<DatabaseTLSProfile> =>
  cluster.get(databaseTLSProfiles, { namespace, name })
export const profileReady = async (cluster: Cluster, name = 'orders'): Promise<DatabaseTLSProfile> => {
  let last: DatabaseTLSProfile | undefined
  const look = async () => {
    last = await getProfile(cluster, name)
    return isReady(last) && last
  }
  return until(`profile ${name} to be Ready`, look).catch((error: unknown) => {
    throw new Error(`profile ${name} says ${JSON.stringify(last?.status?.conditions)}`, { cause: error })
  })
}
/** The condition Ready of a profile, once it has this reason and its message these words. */
export const profileSays = (cluster: Cluster, reason: string, words = '', name = 'orders') =>
  until(`profile ${name} to say ${reason} ${words}`, async () => {
    const { metadata, status } = await getProfile(cluster, name)
    const found = findCondition(status?.conditions, 'Ready')
    return (
      found?.observedGeneration === metadata.generation &&
      found?.reason === reason &&
      found.message.includes(words) &&
      found
    )
  })
export const certificateNames = async (cluster: Cluster): Promise<string[]> =>
  (await cluster.list(databaseCertificates, { namespace })).items.map(({ metadata }) => metadata.name).toSorted()
export const getConfigMap = (cluster: Cluster, name = 'orders-tls-config'): Promise<ConfigMap> =>
  cluster.get(configMaps, { namespace, name })
export const getSecret = (cluster: Cluster, name = 'orders-tls'): Promise<Secret> =>
  cluster.get(secrets, { namespace, name })
export const ready = (cluster: Cluster, name = 'orders'): Promise<DatabaseCertificate> =>
  until(`${name} to be Ready`, async () => {
    const found = await getCertificate(cluster, name)
    return isReady(found) && found.status?.observedGeneration === found.metadata.generation && found
  })
export const stalled = (cluster: Cluster, name = 'orders') =>
  until(`${name} to stall`, async () =>
    (await getCertificate(cluster, name)).status?.conditions?.find(({ type }) => type === 'Stalled'),
  )
export const leafOf = (secret: Secret) => {
  const [der] = certificatesOf(Buffer.from(secret.data?.['tls.crt'] ?? '', 'base64').toString())
  if (der === undefined) throw new Error('no certificate')
  return parseCertificate(der)
}
export const text = (secret: Secret, key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString()

export const messageOf = async (cluster: Cluster, name = 'orders'): Promise<string> =>
  findCondition((await getCertificate(cluster, name)).status?.conditions, 'Ready')?.message ?? ''
export const anotherCertificate = (cluster: Cluster, serial: string | undefined, name = 'orders') =>
  until('another serial number', async () => {
    const found = await getCertificate(cluster, name)
    return isReady(found) && found.status?.serialNumber !== serial && found
  })

export const getAuthority = (cluster: Cluster, name = 'ca'): Promise<CertificateAuthority> =>
  cluster.get(certificateAuthorities, { namespace, name })
export const authorityReady = (cluster: Cluster, name = 'ca') =>
  until(`authority ${name} to be Ready`, async () => {
    const found = await getAuthority(cluster, name)
    return isReady(found) && found
  })
/** The condition Ready, once it has this reason and its message these words. */
export const authoritySays = (cluster: Cluster, reason: string, words = '', name = 'ca') =>
  until(`authority ${name} to say ${reason} ${words}`, async () => {
    const found = findCondition((await getAuthority(cluster, name)).status?.conditions, 'Ready')
    return found?.reason === reason && found.message.includes(words) && found
  })
export const authorityStalled = (cluster: Cluster, name = 'ca') =>
  until(`authority ${name} to stall`, async () =>
    findCondition((await getAuthority(cluster, name)).status?.conditions, 'Stalled'),
  )

export const entriesOf = async (cluster: Cluster, holder?: string): Promise<readonly IssuedCertificate[]> =>
  (await cluster.list(issuedCertificates, { namespace })).items.filter(
    ({ spec }) => holder === undefined || spec.certificateRef?.name === holder,
  )
export const entryOf = async (cluster: Cluster, serial: string | undefined): Promise<IssuedCertificate> => {
  const found = (await entriesOf(cluster)).find(({ spec }) => spec.serialNumber === serial)
  if (found === undefined) throw new Error(`no entry ${serial}`)
  return found
}
/** As a person does with kubectl, or `dbtls revoke`; undefined takes the revocation back. */
export const revoke = async (cluster: Cluster, serial: string | undefined, revocation?: object): Promise<void> => {
  const entry = await entryOf(cluster, serial)
  const { revocation: _, ...spec } = entry.spec
  const changed = { ...entry, spec: revocation === undefined ? spec : { ...spec, revocation } }
  await cluster.update(issuedCertificates, changed as IssuedCertificate, { fieldManager: 'kubectl' })
}

export const withAuthority = async (spec: object = {}, around?: (cluster: Cluster) => Cluster) => {
  const running = await fresh(around)
  await put(running.cluster, authority(spec))
  await authorityReady(running.cluster)
  return running
}

export const issuedOnce = async (spec: object = {}, authoritySpec: object = {}) => {
  const running = await fresh()
  const { cluster, operator } = running
  await put(cluster, authority(authoritySpec))
  await put(cluster, certificate(spec))
  const serial = (await ready(cluster)).status?.serialNumber
  await quiet(operator)
  return Object.assign(running, { serial, anotherSerial: () => anotherCertificate(cluster, serial) })
}
