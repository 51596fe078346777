/** In which order objects of a backup are made. Pure. */

import { parentOf } from '../../authority/names.ts'
import { authorityKeyOf } from '../../certificate/rivals.ts'
import { keyOf } from '../../cluster/port.ts'
import { factsOf } from '../../ledger/facts.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'
import { placeOf } from './belongings.ts'

/**
 * Of two that want the same for themselves, the older or the newer one has it, by the second in which they were created.
 * Each wave holds none of two such, in the order of then; a second has to pass between two waves.
 */
export const waves = <T extends DatabaseCertificate | CertificateAuthority>(
  objects: readonly T[],
  rivalry: (object: T) => readonly string[],
): readonly (readonly T[])[] => {
  const found: T[][] = []
  const last = new Map<string, number>()
  const ordered = objects.toSorted((a, b) => compare(age(a), age(b)))
  for (const object of ordered) {
    const keys = rivalry(object)
    const at = Math.max(-1, ...keys.map((key) => last.get(key) ?? -1)) + 1
    for (const key of keys) last.set(key, at)
    const wave = found[at] ?? []
    wave.push(object)
    found[at] = wave
  }
  return found
}

const age = (object: DatabaseCertificate | CertificateAuthority): string =>
  `${object.metadata.creationTimestamp ?? ''} ${object.metadata.uid ?? ''} ${placeOf(object)}/${object.metadata.name}`
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Those that want one Secret for theirs. */
export const rivalsForSecret = (authority: CertificateAuthority): readonly string[] => {
  const name = authority.spec.source.secret?.name
  return name === undefined ? [] : [`${placeOf(authority)}/${name}`]
}

/** One key, and one common name under one CA, are for one certificate alone. */
export const rivalsIn = (ledger: readonly IssuedCertificate[]) => {
  const names = new Map<string, string>()
  for (const { metadata, spec } of ledger) {
    const commonName = factsOf(spec.certificate)?.commonName
    if (commonName !== undefined)
      names.set(`${metadata.namespace}/${spec.authorityRef.name} ${spec.serialNumber}`, commonName)
  }
  return (certificate: DatabaseCertificate): readonly string[] => {
    const { publicKeyHash, serialNumber } = certificate.status ?? {}
    const authority = authorityKeyOf(certificate)
    const commonName = names.get(`${authority} ${serialNumber ?? ''}`) ?? certificate.spec.subject?.commonName
    return [
      ...(publicKeyHash === undefined ? [] : [`key ${publicKeyHash}`]),
      ...(commonName === undefined || commonName === '' ? [] : [`name ${authority} ${commonName}`]),
    ]
  }
}

/** Each after the one above it. */
export const parentsFirst = (authorities: readonly CertificateAuthority[]): CertificateAuthority[] => {
  const open = new Map(authorities.map((one) => [keyOf(one), one]))
  const ordered: CertificateAuthority[] = []
  const visit = (authority: CertificateAuthority): void => {
    if (!open.delete(keyOf(authority))) return
    const parent = parentOf(authority)
    const above = parent === undefined ? undefined : open.get(`${parent.namespace}/${parent.name}`)
    if (above !== undefined) visit(above)
    ordered.push(authority)
  }
  for (const authority of authorities) visit(authority)
  return ordered
}
