/** What the tests of the whole operator share: one in memory, on a clock moved by hand, that can be made to die. Not imported by the program. */

import { randomBytes, webcrypto } from 'node:crypto'
import { setTimeout as realSleep } from 'node:timers/promises'
import { afterEach } from 'vitest'
import { EmbeddedCluster } from './cluster/embedded/cluster.ts'
import { ApiError } from './cluster/errors.ts'
import type { Occurrence } from './cluster/events.ts'
import type { Cluster, KubeObject, Resource } from './cluster/port.ts'
import { embeddedKinds } from './commands/shared/embedded-kinds.ts'
import { Operator } from './operator.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { parseCertificate } from './pki/certificates/parse.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { isReady } from './resources/conditions.ts'
import { secrets, type Secret } from './resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from './resources/database-certificate.ts'
import { silentLogger } from './runtime/log.ts'
import { ManualClock } from './runtime/manual-clock.ts'
import { createMetrics } from './runtime/metrics.ts'

export const day = 24 * 3_600_000
export const person = { fieldManager: 'kubectl', force: true }

export type WriteVerb = 'create' | 'update' | 'updateStatus' | 'apply' | 'delete'
export interface Write {
  readonly verb: WriteVerb
  readonly plural: string
}

/** Counts the writes that pass, and lets one of them fail the way a killed process sees it. */
const watched = (cluster: Cluster) => {
  const writes: Write[] = []
  let failing: { readonly at: number; readonly when: 'before' | 'after' } | undefined
  let dead = false
  const readNames: string[] = []
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
    get: (...args) => {
      readNames.push(args[1].name)
      return cluster.get(...args)
    },
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
    /** Single objects read live. */
    get reads() {
      return readNames.length
    },
    /** Their names, in order. */
    readNames,
  }
}

const opened: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.stop()
})

/** The same cluster, but something happens just before the first write of this kind, or in its place where it throws. */
export const interrupted = (
  cluster: Cluster,
  verb: WriteVerb,
  plural: string,
  happen: (object: KubeObject) => Promise<unknown>,
  times = 1,
): Cluster => {
  let left = times
  const call = cluster[verb].bind(cluster) as (...args: unknown[]) => Promise<unknown>
  const replaced = async (...args: unknown[]): Promise<unknown> => {
    if ((args[0] as Resource).plural === plural && left > 0) {
      left -= 1
      await happen(args[1] as KubeObject)
    }
    return call(...args)
  }
  return new Proxy(cluster, {
    get: (target, name) => {
      if (name === verb) return replaced
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member as (...args: unknown[]) => unknown).bind(target) : member
    },
  })
}

const clocks = new Set<ManualClock>()
afterEach(() => clocks.clear())

export const newCluster = (clock: ManualClock): EmbeddedCluster => {
  clocks.add(clock)
  return new EmbeddedCluster({ kinds: embeddedKinds(), clock })
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
  return {
    operator,
    events,
    stop,
    ...seen,
    get dead() {
      return seen.dead
    },
    get reads() {
      return seen.reads
    },
  }
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

export const put = (cluster: Cluster, object: KubeObject): Promise<unknown> =>
  cluster.apply(
    object.kind === 'CertificateAuthority' ? certificateAuthorities : (databaseCertificates as Resource),
    object,
    person,
  )

export const getCertificate = (cluster: Cluster, name = 'orders'): Promise<DatabaseCertificate> =>
  cluster.get(databaseCertificates, { namespace, name })
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

export const issuedOnce = async (spec: object = {}, authoritySpec: object = {}) => {
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
  return Object.assign(running, { clock, cluster, serial, anotherSerial })
}
