/** Which certificate is meant for the server at a host, and under which name one is verified. Pure. */

import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'

/** A wildcard stands for one label. */
export const isFor = ({ spec }: DatabaseCertificate, host: string): boolean => {
  const name = host.toLowerCase().replace(/\.$/, '')
  const above = name.replace(/^[^.]+/, '*')
  return (
    (spec.dnsNames ?? []).some((one) => one === name || one === above) ||
    (spec.ipAddresses ?? []).some((one) => one === name)
  )
}

/** `preferred` where it is among its names, else the first that is a server's alone. */
export const nameIn = (certificate: DatabaseCertificate | undefined, preferred?: string): string | undefined => {
  const names = certificate?.spec.dnsNames?.filter((name) => !name.startsWith('*') && name !== 'localhost') ?? []
  return names.find((name) => name === preferred) ?? names[0]
}

/** From where names within the cluster are read. */
export const placeOf = ({ metadata, spec }: DatabaseTLSProfile) => ({
  namespace: metadata.namespace ?? 'default',
  clusterDomain: spec.topology?.clusterDomain ?? 'cluster.local',
})
