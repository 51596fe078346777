/** Which certificates are meant for the server at a host, and under which name one is verified. Pure. */

import type { DatabaseCertificate } from '../resources/database-certificate.ts'

/** A wildcard stands for one label. */
const isFor = ({ spec }: DatabaseCertificate, host: string): boolean => {
  const name = host.toLowerCase().replace(/\.$/, '')
  const above = name.replace(/^[^.]+/, '*')
  return (
    (spec.dnsNames ?? []).some((one) => one === name || one === above) ||
    (spec.ipAddresses ?? []).some((one) => one === name)
  )
}

export interface Addressed<T> {
  /** Those that are for its name; any of them where none is. */
  readonly expected: readonly T[]
  /** What clients verify. */
  readonly serverName: string
}

/** `isGiven`: a person wrote the host down, so it is what clients connect to. `preferred`: the name that clients are told otherwise. */
export const addressedAt = <T extends { readonly certificate: DatabaseCertificate }>(
  host: string,
  all: readonly T[],
  { isGiven = false, preferred }: { readonly isGiven?: boolean; readonly preferred?: string | undefined } = {},
): Addressed<T> => {
  const meant = all.filter(({ certificate }) => isFor(certificate, host))
  if (meant.length > 0) return { expected: meant, serverName: host }
  // A name that dbtls chose itself may be one that the policy of the CA has left out; clients use another then.
  const usual = isGiven ? undefined : nameIn(all[0]?.certificate, preferred)
  return { expected: all, serverName: usual ?? host }
}

/** `preferred` where it is among its names, else the first that is a server's alone. */
const nameIn = (certificate: DatabaseCertificate | undefined, preferred: string | undefined): string | undefined => {
  const names = certificate?.spec.dnsNames?.filter((name) => !name.startsWith('*') && name !== 'localhost') ?? []
  return names.find((name) => name === preferred) ?? names[0]
}
