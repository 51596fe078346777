/** The CA that stands behind a CertificateAuthority or in a folder, out of the certificates that are kept with it. */

import { publicKeyHash } from '../../authority/trust.ts'
import { dataOf, readSecret } from '../../control/secrets.ts'
import { equal, type ParsedCertificate, signatureVerifies } from '../../pki/certificates/parse.ts'
import { PemError } from '../../pki/encoding/pem.ts'
import { readCertificates } from '../../pki/imports/certificates.ts'
import { authoritySecretName, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { type Key, named } from './entries.ts'
import { openPublicKey } from './key.ts'
import { CommandError } from '../shared/failures.ts'
import type { Target } from '../shared/target.ts'

interface Stored {
  readonly certificate: ParsedCertificate
  /** As the Secret holds it. */
  readonly privateKey: string
}

/** Rejects with CommandError where the authority has no certificate of its own, or not yet. */
export const readStored = async ({ cluster }: Target, authority: CertificateAuthority, key: Key): Promise<Stored> => {
  const { secret: brought, trustOnly } = authority.spec.source
  if (trustOnly !== undefined) throw new CommandError(`${named(key)} only trusts; it signs nothing and has no ledger`)
  const name = brought?.name ?? authoritySecretName(authority)
  const secret = await readSecret(cluster, { namespace: key.namespace, name }, new AbortController().signal)
  if (secret === undefined) throw new CommandError(`${named(key)} has no Secret "${name}" yet`)
  const data = dataOf(secret)
  const text = (of: string): string => Buffer.from(data.get(of) ?? new Uint8Array()).toString('latin1')
  const place = `Secret "${name}" of ${named(key)}`
  const certificates = certificatesIn(text(brought?.certificateKey ?? 'tls.crt'), place)
  const privateKey = text(brought?.privateKeyKey ?? 'tls.key')
  const certificate = certificateOfKey(certificates, openPublicKey(privateKey), authority)
  if (certificate === undefined)
    throw new CommandError(`${place}: the private key belongs to none of its certificates; put in both of one CA`)
  return { certificate, privateKey }
}

/** Never empty. Throws CommandError, which begins with `place`. */
export const certificatesIn = (
  pem: string,
  place: string,
): readonly [ParsedCertificate, ...(readonly ParsedCertificate[])] => {
  try {
    const { certificates, unreadable } = readCertificates(Buffer.from(pem, 'latin1'))
    const [first, ...others] = certificates
    if (first === undefined) throw new CommandError(`${place}: ${unreadable.join(' ')}`)
    return [first, ...others]
  } catch (error) {
    if (error instanceof PemError) throw new CommandError(`${place}: ${error.message}`, { cause: error })
    throw error
  }
}

/** Somebody who brings a CA along may put the certificates above it before its own. */
const certificateOfKey = (
  certificates: readonly [ParsedCertificate, ...(readonly ParsedCertificate[])],
  /** Undefined where the key is encrypted. */
  spki: Uint8Array | undefined,
  { status }: CertificateAuthority,
): ParsedCertificate | undefined => {
  const reported = status?.certificate
  const own =
    spki === undefined
      ? certificates.filter((one) => publicKeyHash(one) === reported?.publicKeyHash)
      : certificates.filter((one) => equal(one.spki, spki))
  const found =
    own.find(({ fingerprint }) => fingerprint === reported?.fingerprint) ??
    own.toSorted((a, b) => b.notAfter - a.notAfter)[0]
  return found ?? (spki === undefined ? lowest(certificates) : undefined)
}

/** The one that has signed none of the others; the first one, where they are those of one key. */
export const lowest = (
  certificates: readonly [ParsedCertificate, ...(readonly ParsedCertificate[])],
): ParsedCertificate => {
  const hasSigned = ({ subject, spki }: ParsedCertificate): boolean =>
    certificates.some((other) => !equal(other.spki, spki) && signatureVerifies(other, subject, spki))
  return certificates.find((one) => !hasSigned(one)) ?? certificates[0]
}

/** Whether a PEM text is that of this CA, with or without what is above it. */
export const sameKey = (pem: string, { spki }: ParsedCertificate): boolean => {
  try {
    return equal(lowest(certificatesIn(pem, '')).spki, spki)
  } catch (error) {
    if (error instanceof CommandError) return false
    throw error
  }
}
