/** Clusters that refuse, change under one's hands or see their client die. For tests; not imported by the program. */

import { ApiError } from './cluster/errors.ts'
import type { Cluster, KubeObject, Resource } from './cluster/port.ts'

export type WriteVerb = 'create' | 'update' | 'updateStatus' | 'apply' | 'delete'
export interface Write {
  readonly verb: WriteVerb
  readonly plural: string
}

/** Counts the writes that pass, and lets one of them fail the way a killed process sees it. */
export const watched = (cluster: Cluster) => {
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

/** The same cluster with some verbs of its own. */
export const withVerbs = (cluster: Cluster, verbs: Partial<Cluster>): Cluster =>
  new Proxy(cluster, {
    get: (target, name) => {
      if (Object.hasOwn(verbs, name)) return Reflect.get(verbs, name) as unknown
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member as (...args: unknown[]) => unknown).bind(target) : member
    },
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
  return withVerbs(cluster, { [verb]: replaced })
}
