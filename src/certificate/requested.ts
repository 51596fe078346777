/**
 * What a certificate for a request made elsewhere (`spec.request`) is to be: subject, names and key are the request's, the
 * spec may narrow what it asks for. Pure.
 */

import { formatDistinguishedName, readName } from '../pki/names/names.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import type { GeneralName, KeyAlgorithm } from '../pki/plan.ts'
import { usageProblem } from '../pki/certificates/plan-rules.ts'
import { PlanError, type Usages, usagesOf } from '../pki/certificates/plans.ts'
import { requestedNames, requestedUsages } from '../pki/requests/plan.ts'
import { requestProblems } from '../pki/requests/problems.ts'
import type { CertificateRequest } from '../pki/requests/request.ts'
import { type DatabaseCertificateSpec, roleOf } from '../resources/database-certificate.ts'

/** What was found where `spec.request` points. */
export type RequestSeen = {
  /** resourceVersion of the Secret or ConfigMap; empty for an inline request and while the object is gone. */
  readonly version: string
} & (
  | { readonly state: 'read'; readonly request: CertificateRequest; readonly note?: string }
  | { readonly state: 'missing'; readonly message: string }
  | { readonly state: 'unreadable'; readonly message: string }
)

export interface Requested extends Usages {
  /** DER Name, byte for byte as in the request. */
  readonly subject: Uint8Array
  readonly names: readonly GeneralName[]
  readonly keyAlgorithm: KeyAlgorithm
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  /** As it is kept in the ledger. */
  readonly pem: string
}

/** What the ledger takes (`IssuedCertificate.spec.request`), in characters of PEM. */
const maxPemCharacters = 32768

/** `asked` holds what the spec itself names; empty parts ask for nothing. */
export const requestedOf = (
  spec: Pick<DatabaseCertificateSpec, 'role' | 'usages'>,
  asked: { readonly subject: Uint8Array; readonly names: readonly GeneralName[] },
  request: CertificateRequest,
): Requested | { readonly problems: readonly string[] } => {
  const problems = requestProblems(request)
  const { keyAlgorithm, spki, subject } = request
  if (problems.length > 0 || keyAlgorithm === undefined) return { problems }
  const usages = usagesFor(spec, request, keyAlgorithm)
  if (typeof usages === 'string') return { problems: [usages] }
  const names = requestedNames(request, usages)
  const pem = encodePem('CERTIFICATE REQUEST', request.der)
  const found = [...uncovered(asked.names, names), ...otherSubject(asked.subject, subject), ...tooLong(pem)]
  return found.length > 0 ? { problems: found } : { ...usages, subject, names, keyAlgorithm, spki, pem }
}

const usagesFor = (
  spec: Pick<DatabaseCertificateSpec, 'role' | 'usages'>,
  request: CertificateRequest,
  keyAlgorithm: KeyAlgorithm,
): Usages | string => {
  const listed = spec.usages ?? []
  if (spec.role === undefined && listed.length === 0) return requestedUsages(request, 'Server', keyAlgorithm)
  try {
    const usages = usagesOf(roleOf(spec) ?? 'Server', listed, keyAlgorithm)
    return usageProblem(usages, keyAlgorithm.algorithm) ?? usages
  } catch (error) {
    if (error instanceof PlanError) return error.message
    throw error
  }
}

const fields = { DNS: 'dnsNames', IP: 'ipAddresses', URI: 'uris', Email: 'emailAddresses' } as const

/** A thousand names that are too many are said no better than a few. */
const maxNamed = 5

const uncovered = (allowed: readonly GeneralName[], names: readonly GeneralName[]): string[] => {
  if (allowed.length === 0) return []
  const known = new Set(allowed.map(({ type, value }) => `${type} ${value}`))
  const extra = names.filter(({ type, value }) => !known.has(`${type} ${value}`))
  const more = extra.length > maxNamed ? [`It asks for ${extra.length - maxNamed} names more that are not listed.`] : []
  return [
    ...extra
      .slice(0, maxNamed)
      .map(
        ({ type, value }) =>
          `It asks for ${JSON.stringify(value)}, which spec.${fields[type]} does not list; add it there, or leave out all lists of names.`,
      ),
    ...more,
  ]
}

/** The same attributes with the same values; order and string types are the request's own. */
const otherSubject = (asked: Uint8Array, subject: Uint8Array): string[] => {
  if (asked.length <= 2 || comparable(asked) === comparable(subject)) return []
  const [should, is] = [asked, subject].map((name) => JSON.stringify(formatDistinguishedName(name)))
  return [`Its subject is ${is}, and spec.subject says ${should}; make them agree, or leave out spec.subject.`]
}

const comparable = (name: Uint8Array): string =>
  JSON.stringify(
    readName(name)
      .flat()
      .map(({ oid, value, text }) => `${oid}=${text ?? Buffer.from(value).toString('hex')}`)
      .toSorted(),
  )

const tooLong = (pem: string): string[] =>
  pem.length <= maxPemCharacters
    ? []
    : [`It has ${pem.length} characters of PEM, and the ledger keeps at most ${maxPemCharacters}; ask for fewer names.`]
