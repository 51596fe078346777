/**
 * A CA, its certificates and its revocation list, looked at by hand, with the steps of a rotation between: what the
 * rotation's own controller decides has no part in it. For tests; not imported by the program.
 */

import { randomBytes, webcrypto } from 'node:crypto'
import { setTimeout as realSleep } from 'node:timers/promises'
import { afterEach } from 'vitest'
import { Keyring } from './authority/keyring.ts'
import { AuthorityReconciler } from './authority/reconcile.ts'
import { type Material, Rotator } from './authority/rotate.ts'
import { createCaches } from './caches.ts'
import { CertificateReconciler } from './certificate/reconcile.ts'
import type { EmbeddedCluster } from './cluster/embedded/cluster.ts'
import { type Cluster, keyOf, type KubeObject } from './cluster/port.ts'
import { ClockGuard } from './control/clock-guard.ts'
import type { Caches, Context } from './control/context.ts'
import { report } from './control/report.ts'
import { watched, type Write } from './faults.fixture.ts'
import { parseCertificate } from './pki/certificates/parse.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { RevocationReconciler } from './revocation/reconcile.ts'
import { RevocationLists } from './revocation/stored.ts'
import { certificateAuthorities, type CertificateAuthority } from './resources/certificate-authority.ts'
import type { Reconcile } from './runtime/controller.ts'
import { NotReady, Retryable } from './runtime/errors.ts'
import { silentLogger } from './runtime/log.ts'
import type { ManualClock } from './runtime/manual-clock.ts'
import { emptyCluster, getSecret, namespace, put, text } from './testing.ts'

type Rotation = NonNullable<NonNullable<CertificateAuthority['status']>['rotation']>
export type Phase = Rotation['phase']
export type Act = (rotator: Rotator, authority: CertificateAuthority) => Promise<Material>

/** A process of the operator on a cluster; `cluster` is what a person sees, `port` what the process does. */
export interface Process {
  readonly cluster: EmbeddedCluster
  readonly clock: ManualClock
  readonly seen: ReturnType<typeof watched>
  readonly context: Context
  readonly keyring: Keyring
  readonly rotator: Rotator
  /** `namespace/name` of certificates that may not move yet. */
  readonly waiting: Set<string>
  /** Looks at everything until nothing is written any more; answers what was written. */
  settle(): Promise<readonly Write[]>
  /** One step of the material, and its status, as the rotation's controller writes it. */
  step(phase: Phase, act: Act, name?: string): Promise<Material>
  authority(name?: string): CertificateAuthority
  stop(): void
}

export const signal = new AbortController().signal

const running: Process[] = []
afterEach(() => {
  for (const one of running.splice(0)) one.stop()
})

/** On a cluster of its own, with these objects in it, and everything that follows from them. */
export const begin = async (...objects: readonly KubeObject[]): Promise<Process> => {
  const { clock, cluster } = emptyCluster()
  const process = await processOn(cluster, clock)
  for (const object of objects) await put(cluster, object)
  await process.settle()
  return process
}

export const processOn = async (
  cluster: EmbeddedCluster,
  clock: ManualClock,
  around?: (port: Cluster) => Cluster,
): Promise<Process> => {
  const process = await start(cluster, clock, around)
  running.push(process)
  return process
}

const start = async (
  cluster: EmbeddedCluster,
  clock: ManualClock,
  around: (port: Cluster) => Cluster = (port) => port,
): Promise<Process> => {
  const seen = watched(around(cluster))
  const log = silentLogger()
  const stopping = new AbortController()
  const caches = createCaches({ cluster: seen.port, namespaces: undefined, clock, random: () => 0.5, log })
  const informers = Object.values(caches).filter((cache) => cache !== undefined)
  for (const informer of informers) informer.start(stopping.signal)
  await Promise.all(informers.map((informer) => informer.synced))
  const context: Context = {
    ...{ cluster: seen.port, caches, clock, log },
    crypto: webcrypto,
    random: (size) => randomBytes(size),
    events: { record: () => {}, stop: () => Promise.resolve() },
    clockGuard: new ClockGuard(clock),
  }
  const keyring = new Keyring(context)
  const waiting = new Set<string>()
  const lists = new RevocationLists(seen.port, caches, keyring)
  const authorities = new AuthorityReconciler(context, keyring, () => undefined)
  const revocations = new RevocationReconciler(context, keyring)
  const certificates = new CertificateReconciler(context, keyring, {
    rsaKeys: 1,
    again: () => {},
    readRevocationList: (authority, about) => lists.delivered(authority, about),
    keyStays: () => undefined,
    turns: { mayMove: (_, certificate) => !waiting.has(certificate), mayRenew: () => true },
  })
  const rotator = new Rotator(context, keyring, {
    lastWords: (of) => revocations.reconcile(keyOf(of), { signal }),
  })
  const reconciles: [keyof Pick<Caches, 'authorities' | 'certificates'>, Reconcile][] = [
    ['authorities', (key, about) => authorities.reconcile(key, about)],
    ['authorities', (key, about) => revocations.reconcile(key, about)],
    ['certificates', (key, about) => certificates.reconcile(key, about)],
  ]
  const about = { signal, log, reconcileId: 'test' }
  const round = async (): Promise<void> => {
    for (const [cache, reconcile] of reconciles)
      for (const key of caches[cache].store.keys())
        try {
          await reconcile(key, about)
        } catch (error) {
          // The queue would look again.
          if (!(error instanceof NotReady || error instanceof Retryable)) throw error
        }
  }
  const authority = (name = 'ca'): CertificateAuthority => {
    const found = caches.authorities.store.get(`${namespace}/${name}`)
    if (found === undefined) throw new Error(`no authority ${name}`)
    return found
  }
  return {
    ...{ cluster, clock, seen, context, keyring, rotator, waiting, authority },
    settle: async () => {
      const before = seen.writes.length
      for (let calm = 0, last = before; calm < 2;) {
        // Events of the cluster reach the caches.
        await realSleep(2)
        await round()
        calm = seen.writes.length === last ? calm + 1 : 0
        last = seen.writes.length
      }
      return seen.writes.slice(before)
    },
    step: async (phase, act, name) => {
      await realSleep(2)
      const before = authority(name)
      const material = await act(rotator, before)
      await tell(context, before, material, phase)
      return material
    },
    stop: () => stopping.abort(),
  }
}

const tell = async (
  context: Context,
  authority: CertificateAuthority,
  { facts, rotation: { from, to, formerTrustBundleHash }, message }: Material,
  phase: Phase,
): Promise<void> => {
  const rotation: Rotation = {
    phase,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(formerTrustBundleHash === undefined ? {} : { formerTrustBundleHash }),
  }
  const outcome = { state: 'Ready', reason: 'Ready', message } as const
  const { caches } = context
  await report(context, certificateAuthorities, caches.authorities, authority, { ...facts, rotation }, outcome, signal)
}

/** The straight way, each step with the phase that it leads to. */
export const steps = {
  prepare: (of: Process) => of.step('Prepared', (rotator, ca) => rotator.prepare(ca, { trigger: '' }, signal)),
  publish: (of: Process) => of.step('TrustBoth', (rotator, ca) => rotator.publish(ca, signal)),
  switch: (of: Process) => of.step('Signing', (rotator, ca) => rotator.switchSigner(ca, { dropNow: false }, signal)),
  drop: (of: Process) => of.step('Dropped', (rotator, ca) => rotator.drop(ca, signal)),
  finish: (of: Process) => of.step('Idle', (rotator, ca) => rotator.finish(ca, signal)),
}
export type StepName = keyof typeof steps
export const stepNames = Object.keys(steps) as StepName[]

export const take = async (process: Process, ...names: readonly StepName[]): Promise<void> => {
  for (const name of names) {
    await steps[name](process)
    await process.settle()
  }
}

/** Fingerprints of the certificates under a key of a Secret. */
export const pemsOf = async ({ cluster }: Process, key: string, name = 'orders-tls'): Promise<string[]> =>
  certificatesOf(text(await getSecret(cluster, name), key)).map((der) => parseCertificate(der).fingerprint)

export const keysOf = async ({ cluster }: Process): Promise<string[]> =>
  Object.keys((await getSecret(cluster, 'ca-ca')).data ?? {}).toSorted()
