/** Reading the ledger of a CA for the verbs, and what an entry says. */

import { ifFound } from '../../cluster/errors.ts'
import type { ListOptions } from '../../cluster/port.ts'
import { toTimestamp } from '../../control/schedule.ts'
import type { EntryState } from '../../ledger/entry.ts'
import { parseLine } from '../../ledger/openssl/index-file.ts'
import { certificateOf, stateOf } from '../../ledger/openssl/stored.ts'
import { CertificateError, type ParsedCertificate } from '../../pki/certificates/parse.ts'
import { commonNameOf, formatDistinguishedName, NameError } from '../../pki/names/names.ts'
import { PemError } from '../../pki/encoding/pem.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { issuedCertificates, type IssuedCertificate } from '../../resources/issued-certificate.ts'
import { CommandError } from '../shared/failures.ts'
import { listAll } from '../shared/lists.ts'
import type { Target } from '../shared/target.ts'

export interface Key {
  readonly namespace: string
  readonly name: string
}

export const named = ({ namespace, name }: Key): string => `CertificateAuthority ${namespace}/${name}`

/** Rejects with CommandError where there is none. */
export const readAuthority = async ({ cluster }: Target, key: Key): Promise<CertificateAuthority> => {
  const found = await findAuthority(cluster, key)
  if (found === undefined) throw new CommandError(`there is no ${named(key)}`)
  return found
}

export const findAuthority = async (
  cluster: Target['cluster'],
  key: Key,
): Promise<CertificateAuthority | undefined> => {
  return ifFound(cluster.get(certificateAuthorities, key))
}

/** Of one CA, or of all in the target's scope; selected by the server, page by page. */
export const readLedger = (
  { cluster, scope }: Pick<Target, 'cluster' | 'scope'>,
  { authority, serialNumber }: { readonly authority?: Key | undefined; readonly serialNumber?: string | undefined },
): Promise<IssuedCertificate[]> => {
  const selectors = [
    ...(authority === undefined ? [] : [`spec.authorityRef.name=${authority.name}`]),
    ...(serialNumber === undefined ? [] : [`spec.serialNumber=${serialNumber}`]),
  ]
  const options: ListOptions = {
    namespace: authority?.namespace ?? scope,
    ...(selectors.length === 0 ? {} : { fieldSelector: selectors.join(',') }),
  }
  return listAll(cluster, issuedCertificates, options)
}

/** The stable shape of `--output json`: members may be added, none is taken away. Times are RFC 3339. */
export interface EntryFacts {
  readonly namespace: string
  readonly authority: string
  readonly serialNumber: string
  readonly state: EntryState
  readonly commonName?: string
  readonly subject?: string
  readonly notBefore?: string
  readonly notAfter?: string
  readonly fingerprint?: string
  readonly issuedFor?: { readonly namespace: string; readonly name: string }
  readonly supersedes?: string
  readonly revocation?: { readonly reason: string; readonly time?: string; readonly invalidityTime?: string }
  readonly requestKept: boolean
}

export interface Entry {
  readonly entry: IssuedCertificate
  /** Undefined where it was lost, or cannot be read. */
  readonly certificate: ParsedCertificate | undefined
  readonly facts: EntryFacts
}

export const describeEntry = (entry: IssuedCertificate, now: number): Entry => {
  const { metadata, spec, status } = entry
  const certificate = readable(entry)
  const line = certificate === undefined && spec.indexLine !== undefined ? lineOf(spec.indexLine) : undefined
  const notAfter = certificate?.notAfter ?? line?.notAfter
  const commonName = certificate === undefined ? undefined : commonNameOf(certificate.subject)
  const subject = certificate === undefined ? line?.subject : formatDistinguishedName(certificate.subject)
  const { revocation, certificateRef: holder } = spec
  const time = revocation?.time ?? status?.revokedAt
  return {
    entry,
    certificate,
    facts: {
      namespace: metadata.namespace ?? 'default',
      authority: spec.authorityRef.name,
      serialNumber: spec.serialNumber,
      state: stateOf(entry, notAfter ?? Number.POSITIVE_INFINITY, now),
      ...(commonName === undefined ? {} : { commonName }),
      ...(subject === undefined ? {} : { subject }),
      ...(certificate === undefined ? {} : { notBefore: toTimestamp(certificate.notBefore) }),
      ...(notAfter === undefined ? {} : { notAfter: toTimestamp(notAfter) }),
      ...(certificate === undefined ? {} : { fingerprint: certificate.fingerprint }),
      ...(holder === undefined ? {} : { issuedFor: { namespace: holder.namespace, name: holder.name } }),
      ...(spec.supersedes === undefined ? {} : { supersedes: spec.supersedes.serialNumber }),
      ...(revocation === undefined
        ? {}
        : {
            revocation: {
              reason: revocation.reason,
              ...(time === undefined ? {} : { time }),
              ...(revocation.invalidityTime === undefined ? {} : { invalidityTime: revocation.invalidityTime }),
            },
          }),
      requestKept: spec.request !== undefined,
    },
  }
}

/** One unreadable entry must not hide the others. */
const readable = (entry: IssuedCertificate): ParsedCertificate | undefined => {
  try {
    return certificateOf(entry)
  } catch (error) {
    if (error instanceof CertificateError || error instanceof PemError || error instanceof NameError) return undefined
    throw error
  }
}

const lineOf = (text: string): ReturnType<typeof parseLine> | undefined => {
  try {
    return parseLine(text)
  } catch {
    return undefined
  }
}
