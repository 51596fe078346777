/** Writes only for the one who leads. */
import { ApiError } from './errors.ts'
import type { Cluster } from './port.ts'

/** A write that was not sent, because this process does not lead, or no longer knows that it does. */
export class Fenced extends ApiError {
  constructor() {
    super({ status: 0, reason: 'NotLeader', message: 'nothing was written: this process does not hold the Lease' })
  }
}

/**
 * `cluster`, with a check before every write: it rejects with Fenced when `mayWrite` says no. What is already on its way
 * when leadership ends is caught by the preconditions (uid, resourceVersion) of each write.
 */
export const fenced = (cluster: Cluster, mayWrite: () => boolean): Cluster => {
  const check = (): void => {
    if (!mayWrite()) throw new Fenced()
  }
  return {
    get: (resource, key, options) => cluster.get(resource, key, options),
    list: (resource, options) => cluster.list(resource, options),
    watch: (resource, options) => cluster.watch(resource, options),
    create: async (resource, object, options) => {
      check()
      return cluster.create(resource, object, options)
    },
    update: async (resource, object, options) => {
      check()
      return cluster.update(resource, object, options)
    },
    updateStatus: async (resource, object, options) => {
      check()
      return cluster.updateStatus(resource, object, options)
    },
    apply: async (resource, object, options) => {
      check()
      return cluster.apply(resource, object, options)
    },
    delete: async (resource, key, options) => {
      check()
      return cluster.delete(resource, key, options)
    },
  }
}
