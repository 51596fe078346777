/** A context for tests of one step: a cluster of the few verbs it uses, caches that are plain maps. Not imported by the program. */

import { randomBytes, webcrypto } from 'node:crypto'
import type { Informer } from '../cluster/cache/informer.ts'
import type { Occurrence } from '../cluster/events.ts'
import { type Cluster, keyOf, type KubeObject } from '../cluster/port.ts'
import { silentLogger } from '../runtime/log.ts'
import { ManualClock } from '../runtime/manual-clock.ts'
import { ClockGuard } from './clock-guard.ts'
import type { Context } from './context.ts'

const cacheOf = <T extends KubeObject>(objects: Map<string, KubeObject>, wrote: KubeObject[]): Informer<T> =>
  ({
    store: { get: (key: string) => objects.get(key), by: () => [...objects.values()] },
    wrote: (object: KubeObject) => {
      wrote.push(object)
      objects.set(keyOf(object), object)
    },
  }) as unknown as Informer<T>

export const stubContext = (verbs: Partial<Record<keyof Cluster, unknown>>, clock = new ManualClock()) => {
  const wrote: KubeObject[] = []
  const events: Occurrence[] = []
  const stores = {
    authorities: new Map<string, KubeObject>(),
    certificates: new Map<string, KubeObject>(),
    profiles: new Map<string, KubeObject>(),
    ledger: new Map<string, KubeObject>(),
    secrets: new Map<string, KubeObject>(),
    configMaps: new Map<string, KubeObject>(),
    namespaces: new Map<string, KubeObject>(),
  }
  const context: Context = {
    cluster: verbs as unknown as Cluster,
    caches: {
      authorities: cacheOf(stores.authorities, wrote),
      certificates: cacheOf(stores.certificates, wrote),
      profiles: cacheOf(stores.profiles, wrote),
      ledger: cacheOf(stores.ledger, wrote),
      secrets: cacheOf(stores.secrets, wrote),
      configMaps: cacheOf(stores.configMaps, wrote),
      namespaces: cacheOf(stores.namespaces, wrote),
    },
    clock,
    crypto: webcrypto,
    random: (size) => randomBytes(size),
    log: silentLogger(),
    events: { record: (occurrence) => void events.push(occurrence), stop: () => Promise.resolve() },
    clockGuard: new ClockGuard(clock),
  }
  return { context, stores, wrote, events, clock }
}

export const never = new AbortController().signal

/** What a promise rejected with. */
export const rejection = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('expected a rejection')
}
