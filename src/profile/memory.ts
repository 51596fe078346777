/** What is remembered of a profile between two looks. Everything in it can be found anew. */

import type { Wishes } from './observed.ts'

export interface Memory {
  expanded: { readonly inputs: string; readonly wishes: Wishes } | undefined
  /** ConfigMaps that were found good, or written: of which version, for which inputs. */
  readonly configMaps: Map<string, { readonly uid: string; readonly resourceVersion: string; readonly hash: string }>
  /** See `refusedKey`. */
  readonly unyielding: Set<string>
  /** Since when status is behind in what alone is worth no write at once; monotonic ms. */
  behindSince: number | undefined
}

export const newMemory = (): Memory => ({
  expanded: undefined,
  configMaps: new Map(),
  unyielding: new Set(),
  behindSince: undefined,
})
