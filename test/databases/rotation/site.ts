/** Where objects are kept and an operator acts: in this process, with its servers asked and told, on the system's clock. */
import { randomBytes, webcrypto } from 'node:crypto'
import { EmbeddedCluster } from '../../../src/cluster/embedded/cluster.ts'
import type { Occurrence } from '../../../src/cluster/events.ts'
import type { Cluster, KubeObject } from '../../../src/cluster/port.ts'
import { embeddedKinds } from '../../../src/commands/shared/embedded-kinds.ts'
import { Operator } from '../../../src/operator.ts'
import { localRules } from '../../../src/profile/endpoints/permitted.ts'
import { configMaps, secrets } from '../../../src/resources/core.ts'
import { kinds } from '../../../src/resources/kinds.ts'
import { workloads } from '../../../src/resources/workloads.ts'
import type { Rules } from '../../../src/rotation/phases.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { silentLogger } from '../../../src/runtime/log.ts'
import { createMetrics } from '../../../src/runtime/metrics.ts'

export interface Site extends AsyncDisposable {
  /** As a person or a kubelet reaches it. */
  readonly cluster: Cluster
  readonly namespace: string
  /** As a person does; default: through `cluster`. */
  readonly apply?: (object: object) => Promise<void>
}

/** How late a volume follows its Secret at most, as the operator is told, ms: `delayMs` of a fleet is less. */
export const arrivalMs = 4000

const person = { fieldManager: 'kubectl', force: true }
const resources = [secrets, configMaps, ...kinds.map(({ resource }) => resource)]

/** As a person does with kubectl; in the namespace of the site where the object names none. */
export const applyTo = async (site: Site, ...objects: readonly object[]): Promise<void> => {
  const { cluster, namespace } = site
  for (const object of objects) {
    if (site.apply !== undefined) {
      await site.apply(object)
      continue
    }
    const { metadata, ...rest } = object as KubeObject
    const resource = resources.find(({ kind }) => kind === rest.kind)
    if (resource === undefined) throw new Error(`${rest.kind} is not applied here`)
    await cluster.apply(resource, { ...rest, metadata: { namespace, ...metadata } }, person)
  }
}

export interface EmbeddedSite extends Site {
  readonly events: readonly Occurrence[]
  /** Nobody acts until `resume`. */
  readonly pause: () => Promise<void>
  readonly resume: () => Promise<void>
}

export interface SiteInit {
  /** What stands between the operator and the objects. */
  readonly around?: (cluster: Cluster) => Cluster
  readonly rules?: Rules
}

export const embeddedSite = async ({ around = (same) => same, rules }: SiteInit = {}): Promise<EmbeddedSite> => {
  const clock = systemClock()
  const built = [...embeddedKinds(), ...Object.values(workloads).map((resource) => ({ resource }))]
  const embedded = new EmbeddedCluster({ directory: undefined, kinds: built, clock })
  const cluster = around(embedded)
  const events: Occurrence[] = []
  const begin = async () => {
    const stopping = new AbortController()
    const operator = new Operator({
      ...{ cluster, clock, crypto: webcrypto, random: Math.random, workers: 4 },
      randomBytes: (size) => randomBytes(size),
      ...{ log: silentLogger(), metrics: createMetrics(), rotationRules: rules },
      events: { record: (occurrence) => void events.push(occurrence), stop: () => Promise.resolve() },
      probes: { rules: localRules, shortestMs: 1000, arrivalMs },
    })
    await operator.startCaches(stopping.signal)
    operator.startControllers()
    return async (): Promise<void> => {
      await operator.stop()
      stopping.abort()
    }
  }
  let end: (() => Promise<void>) | undefined = await begin()
  const pause = async (): Promise<void> => {
    await end?.()
    end = undefined
  }
  return {
    ...{ cluster, events, namespace: 'data', pause },
    resume: async () => {
      end ??= await begin()
    },
    [Symbol.asyncDispose]: async () => {
      await pause()
      embedded.close()
    },
  }
}
