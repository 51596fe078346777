/** Where the servers of a profile are, as far as the operator may turn to them. */

import { addressesOf, type Endpoint, type Lookup } from '../database/connect/address.ts'
import { FaultError } from '../database/connect/fault.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { Place } from './topology.ts'

/** Which servers the operator may turn to for a profile. */
export interface Permits {
  /** What to look up, or why not. */
  readonly name: (host: string, place: Place) => { readonly name: string } | { readonly refused: string }
  /** Why this address is left alone; undefined where it is not. */
  readonly refusal: (address: string) => string | undefined
}

/** From where names within the cluster are read. */
export const placeOf = ({ metadata, spec }: DatabaseTLSProfile): Place => ({
  namespace: metadata.namespace ?? 'default',
  clusterDomain: spec.topology?.clusterDomain ?? 'cluster.local',
})

export interface Reaching {
  readonly permits: Permits
  readonly lookup?: Lookup | undefined
  readonly signal: AbortSignal
}

/** None of the addresses is permitted yet. */
export type Reached =
  { readonly addresses: readonly string[] } | { readonly refused: string } | { readonly fault: FaultError }

/** What is behind a name; rejects for what is no fault of the name. */
export const reach = async (
  { host, port }: Endpoint,
  place: Place,
  { permits, lookup, signal }: Reaching,
): Promise<Reached> => {
  const asked = permits.name(host, place)
  if ('refused' in asked) return asked
  try {
    return { addresses: await addressesOf({ host: asked.name, port }, { signal, ...(lookup && { lookup }) }) }
  } catch (error) {
    if (!(error instanceof FaultError)) throw error
    return { fault: error }
  }
}
