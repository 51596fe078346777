/** The namespaces as the operator sees them, from the cache. */

import type { Caches } from '../control/context.ts'
import type { NamespaceSeen, Scope } from './wanted.ts'

/** `served`: those the operator was started for; undefined for all. */
export const scopeOf = ({ namespaces }: Caches, served: readonly string[] | undefined): Scope => {
  if (namespaces === undefined) return { seen: undefined, served: served ?? [] }
  const seen = new Map<string, NamespaceSeen>()
  for (const { metadata } of namespaces.store.values())
    seen.set(metadata.name, {
      labels: metadata.labels ?? {},
      terminating: metadata.deletionTimestamp !== undefined,
    })
  return { seen, served: undefined }
}
