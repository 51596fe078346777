/**
 * Judges what a certificate request asks for. Extensions are granted deny-by-default: alternative names of the four types,
 * and the usages of a leaf. What would be dangerous to drop in silence is a problem; what is harmless is passed over, and
 * `ignoredExtensions` says so.
 */

import { createPublicKey, verify } from 'node:crypto'
import { children, DerError, readOid, readOnly, Tag } from '../encoding/der.ts'
import { extensionIds } from '../certificates/extensions.ts'
import { normaliseGeneralName } from '../names/general-names.ts'
import { NameError } from '../names/names.ts'
import { equal } from '../certificates/parse.ts'
import type { GeneralName } from '../plan.ts'
import { type CertificateRequest, isExtensionRequest, maxNamesOfType } from './request.ts'
import { subjectProblems } from './subject-problems.ts'
import { publicKeyProblem } from '../keys/weak-keys.ts'

export interface RequestContext {
  /** DER SubjectPublicKeyInfo of CAs, which no request may bear. */
  readonly authorityKeys?: readonly Uint8Array[]
}

type Judge = (request: CertificateRequest, context: RequestContext) => readonly (string | undefined)[]

const key: Judge = ({ spki, keyAlgorithm, ...request }, { authorityKeys = [] }) => {
  if (authorityKeys.some((other) => equal(other, spki)))
    return ['The request is for the key of a CA; make a key of its own.']
  const problem = publicKeyProblem(spki)
  return [problem ?? possessionProblem({ ...request, spki, keyAlgorithm })]
}

const schemes = new Map<string, { readonly algorithm: string; readonly hash: string | null }>([
  ['1.2.840.113549.1.1.11', { algorithm: 'RSA', hash: 'sha256' }],
  ['1.2.840.113549.1.1.12', { algorithm: 'RSA', hash: 'sha384' }],
  ['1.2.840.113549.1.1.13', { algorithm: 'RSA', hash: 'sha512' }],
  ['1.2.840.10045.4.3.2', { algorithm: 'ECDSA', hash: 'sha256' }],
  ['1.2.840.10045.4.3.3', { algorithm: 'ECDSA', hash: 'sha384' }],
  ['1.2.840.10045.4.3.4', { algorithm: 'ECDSA', hash: 'sha512' }],
  ['1.3.101.112', { algorithm: 'Ed25519', hash: null }],
])

const weakSignatures = new Map([
  ['1.2.840.113549.1.1.4', 'MD5'],
  ['1.2.840.113549.1.1.5', 'SHA-1'],
  ['1.2.840.10045.4.1', 'SHA-1'],
])

/** The signature proves that whoever asks holds the private key (RFC 2986 §3). */
const possessionProblem = (
  request: Pick<CertificateRequest, 'spki' | 'keyAlgorithm' | 'signedBytes' | 'signatureAlgorithm' | 'signature'>,
): string | undefined => {
  const id = signatureId(request.signatureAlgorithm)
  const weak = id === undefined ? undefined : weakSignatures.get(id)
  if (weak !== undefined) return `The request is signed with ${weak}; make it again with SHA-256.`
  const scheme = id === undefined ? undefined : schemes.get(id)
  if (scheme === undefined)
    return `The signature of the request is of the type ${id ?? 'unknown'}; RSA (PKCS #1 v1.5), ECDSA and Ed25519 with SHA-2 are supported.`
  if (scheme.algorithm !== request.keyAlgorithm?.algorithm)
    return 'The signature of the request is of another type than its key.'
  return signed(request, scheme.hash)
    ? undefined
    : 'The signature of the request does not verify with its own key: who asks has not shown to hold the private key.'
}

const signed = (
  { spki, signedBytes, signature }: Pick<CertificateRequest, 'spki' | 'signedBytes' | 'signature'>,
  hash: string | null,
) => {
  try {
    return verify(
      hash,
      signedBytes,
      createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }),
      signature,
    )
  } catch {
    return false
  }
}

/** undefined where parameters stand that do not belong there. */
const signatureId = (identifier: Uint8Array): string | undefined => {
  try {
    const [type, parameters, ...more] = children(readOnly(identifier, Tag.sequence))
    if (type === undefined || more.length > 0) return undefined
    return parameters === undefined || (parameters.tag === Tag.null && parameters.contents.length === 0)
      ? readOid(type)
      : undefined
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
}

const repeated = (values: readonly string[]): string[] => {
  const seen = new Set<string>()
  return values.filter((value) => seen.size === seen.add(value).size)
}

const repetitions: Judge = ({ attributes, requestedExtensions }) => [
  ...repeated(attributes).map((oid) => `The request has the attribute ${oid} twice.`),
  ...repeated(requestedExtensions.map(({ oid }) => oid)).map(
    (oid) => `The request asks for the extension ${oid} twice.`,
  ),
  new Set(attributes.filter(isExtensionRequest)).size > 1
    ? 'The request has two lists of extensions, that of PKCS #9 and that of Microsoft.'
    : undefined,
]

/** Extensions whose contents are judged one by one, so that they may be critical. */
const judged = new Set<string>([
  extensionIds.basicConstraints,
  extensionIds.keyUsage,
  extensionIds.extendedKeyUsage,
  extensionIds.subjectAlternativeName,
])

const forAuthorities = new Map<string, string>([
  [extensionIds.nameConstraints, 'name constraints'],
  ['2.5.29.33', 'policy mappings'],
  ['2.5.29.36', 'policy constraints'],
  ['2.5.29.54', 'inhibitAnyPolicy'],
])

const extensions: Judge = ({ requestedExtensions }) =>
  requestedExtensions.map(({ oid, critical }) => {
    const title = forAuthorities.get(oid)
    if (title !== undefined) return `The request asks for ${title}, which are for CAs only.`
    return critical && !judged.has(oid)
      ? `The request asks for the critical extension ${oid}, which is not understood.`
      : undefined
  })

const grantable = ['serverAuth', 'clientAuth']
const anyUsage = '2.5.29.37.0'

const usages: Judge = ({ asksForCa, keyUsage, extendedKeyUsage }) => [
  asksForCa ? 'The request asks for a CA certificate (CA:TRUE); leaves only are signed from requests.' : undefined,
  ...keyUsage
    .filter((usage) => usage === 'keyCertSign' || usage === 'cRLSign')
    .map((usage) => `The request asks for the key usage ${usage}, which is for CAs only.`),
  ...extendedKeyUsage
    .filter((usage) => !grantable.includes(usage))
    .map((usage) =>
      usage === anyUsage
        ? 'The request asks for any extended key usage; name those that are needed.'
        : `The request asks for the extended key usage ${usage}; ${grantable.join(' and ')} can be had.`,
    ),
]

const names: Judge = ({ requestedNames, otherNames, subject }) => [
  otherNames > 0
    ? `The request asks for ${otherNames} alternative ${otherNames === 1 ? 'name' : 'names'} of other types than DNS, IP, URI and email; remove them.`
    : undefined,
  subject.length <= 2 && requestedNames.length === 0
    ? 'The request names nothing: it has neither a subject nor an alternative name.'
    : undefined,
  ...(['DNS', 'IP', 'URI', 'Email'] as const).map((type) => {
    const count = requestedNames.filter((name) => name.type === type).length
    return count > maxNamesOfType
      ? `The request asks for ${count} names of the type ${type}; at most ${maxNamesOfType} are signed.`
      : undefined
  }),
  ...firstProblems(requestedNames),
]

/** A hundred broken names are said no better than a few. */
const maxNameProblems = 10

const firstProblems = (found: readonly GeneralName[]): string[] => {
  const problems: string[] = []
  for (const name of found) {
    if (problems.length >= maxNameProblems) break
    const problem = nameProblem(name)
    if (problem !== undefined) problems.push(problem)
  }
  return problems
}

const nameProblem = (name: GeneralName): string | undefined => {
  try {
    normaliseGeneralName(name)
    return undefined
  } catch (error) {
    if (error instanceof NameError) return error.message
    throw error
  }
}

const subjectOf: Judge = ({ subject }) => subjectProblems(subject)

const judges: readonly Judge[] = [key, repetitions, extensions, usages, names, subjectOf]

/** A status has little room, and a hostile request could make thousands. */
const maxProblems = 20

/** One sentence for each reason why nothing may be signed from the request, at most 20; none means that it may be planned. */
export const requestProblems = (request: CertificateRequest, context: RequestContext = {}): string[] => {
  const problems = judges.flatMap((judge) => judge(request, context)).filter((problem) => problem !== undefined)
  return [...new Set(problems)].slice(0, maxProblems)
}

/** Object identifiers of what is asked for and neither granted nor refused, such as a key identifier or a comment. */
export const ignoredExtensions = ({ requestedExtensions }: CertificateRequest): string[] =>
  requestedExtensions.map(({ oid }) => oid).filter((oid) => !judged.has(oid) && !forAuthorities.has(oid))
