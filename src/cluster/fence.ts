/**
 * Keeps a replica that may no longer lead from writing. Leader election tells who leads, but does not stop one that was
 * paused and has not noticed: every write asks first.
 */

import { ApiError } from './errors.ts'
import type { Cluster } from './port.ts'

const writes = ['create', 'update', 'updateStatus', 'apply', 'delete'] as const satisfies readonly (keyof Cluster)[]

/** `cluster`, whose writes reject with reason `NotLeader` (status 0, nothing sent) while `mayWrite` says no. */
export const fenced = (cluster: Cluster, mayWrite: () => boolean): Cluster => {
  const guarded = (verb: (typeof writes)[number]) =>
    (async (...args: unknown[]): Promise<unknown> => {
      if (!mayWrite())
        throw new ApiError({
          status: 0,
          reason: 'NotLeader',
          message: 'this replica does not lead, so it does not write',
        })
      return (cluster[verb] as (...args: unknown[]) => Promise<unknown>).apply(cluster, args)
    }) as never
  return {
    get: (resource, key, options) => cluster.get(resource, key, options),
    list: (resource, options) => cluster.list(resource, options),
    watch: (resource, options) => cluster.watch(resource, options),
    create: guarded('create'),
    update: guarded('update'),
    updateStatus: guarded('updateStatus'),
    apply: guarded('apply'),
    delete: guarded('delete'),
  }
}
