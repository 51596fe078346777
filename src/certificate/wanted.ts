/**
 * What a DatabaseCertificate asks for with every default resolved and every name normalised: the value that the checks
 * compare with and that a plan is made from. Pure.
 */

import { shapeOf } from '../database/layouts/shape.ts'
import { contentNeedsPassword, contentOfCertificate, itemProblems, type OutputItem } from '../material/contents.ts'
import { normaliseDnsName, normaliseEmail, normaliseIpAddress, normaliseUri } from '../pki/names/general-names.ts'
import { commonNameOf, distinguishedName, NameError, parseDistinguishedName } from '../pki/names/names.ts'
import type { ExtendedKeyUsage, GeneralName, KeyAlgorithm, KeyUsage } from '../pki/plan.ts'
import { usageProblem } from '../pki/certificates/plan-rules.ts'
import { PlanError, type Usages, usagesOf } from '../pki/certificates/plans.ts'
import type { RenewalRule } from '../control/schedule.ts'
import { parseDuration } from '../resources/duration.ts'
import { keyAlgorithmOf } from '../resources/keys.ts'
import type { MaintenanceWindow } from '../resources/maintenance-windows.ts'
import {
  type DatabaseCertificate,
  type DatabaseCertificateSpec,
  defaultDuration,
  roleOf,
} from '../resources/database-certificate.ts'
import { renewTriggerOf } from './renew-trigger.ts'
import { requestedOf, type RequestSeen } from './requested.ts'

export interface Wanted {
  readonly authority: { readonly namespace: string; readonly name: string }
  /** DER Name. */
  readonly subject: Uint8Array
  readonly names: readonly GeneralName[]
  readonly keyUsage: readonly KeyUsage[]
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[]
  readonly keyAlgorithm: KeyAlgorithm
  readonly keyEncoding: 'PKCS8' | 'PKCS1' | 'SEC1'
  readonly reuseKey: boolean
  /** Present: the key is made elsewhere, and this is what was asked for. */
  readonly request?: WantedRequest
  /** ms */
  readonly duration: number
  /** Whether the spec says it, or it only stands for nothing said. */
  readonly durationGiven: boolean
  readonly renewal: RenewalRule
  /** Absent: it is renewed at any time. */
  readonly windows?: readonly MaintenanceWindow[]
  readonly renewTrigger: string
  readonly pkcs12Profile: 'Modern2023' | 'LegacyDES'
  /** Absent: a password is generated once, where an item needs one. */
  readonly passwordRef?: { readonly name: string; readonly key: string }
  readonly needsPassword: boolean
  /** No item holds anything of a certificate: none is issued, and the Secret is what the authority alone makes it. */
  readonly withoutCertificate?: true
  readonly secret: WantedSecret
}

export interface WantedRequest {
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  /** As it is kept in the ledger. */
  readonly pem: string
}

export interface WantedSecret {
  readonly name: string
  readonly type: 'kubernetes.io/tls' | 'Opaque'
  readonly items: readonly OutputItem[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Annotation → key: counts how often what stands under the key has changed. */
  readonly counters?: Readonly<Record<string, string>>
  readonly retain: boolean
}

/** The key under which a generated keystore password is published when no item asks for it: nobody could open the store otherwise. */
export const generatedPasswordKey = 'keystore-password'

export type Resolved = { readonly wanted: Wanted; readonly problems?: never } | { readonly problems: readonly string[] }

/**
 * Resolves a spec, or names every field that only a person can mend. `seen` is what was found where `spec.request` points,
 * where there is one.
 */
export const resolve = (certificate: DatabaseCertificate, seen?: RequestSeen): Resolved => {
  const { spec } = certificate
  const problems: string[] = []
  const attempt = <T>(field: string, make: () => T): T | undefined => {
    try {
      return make()
    } catch (error) {
      problems.push(`spec.${field}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }

  const encoding = spec.privateKey?.encoding ?? 'PKCS8'
  const pkcs12Profile = spec.keystore?.pkcs12Profile ?? 'Modern2023'
  const passwordRef = spec.keystore?.passwordSecretRef
  const shaped = shapeOf(spec)
  if ('problem' in shaped) problems.push(`spec.secret.layout: ${shaped.problem}`)
  const shape = 'shape' in shaped ? shaped.shape : undefined
  const items = withPassword(shape?.items ?? [], passwordRef !== undefined)
  const withoutCertificate = items.length > 0 && !items.some(({ content }) => contentOfCertificate(content))
  const bearer = withoutCertificate ? nobody(spec) : bearerOf(spec, seen, attempt, problems)
  const keyAlgorithm = bearer?.keyAlgorithm ?? keyAlgorithmOf(spec.privateKey)
  const have = { privateKey: spec.request === undefined, keyAlgorithm: keyAlgorithm.algorithm }
  const layout = spec.secret.layout ?? ''
  const field = layout === '' ? 'spec.secret.' : `spec.secret.layout: of ${layout}, `
  problems.push(...itemProblems(items, have, { encoding, pkcs12Profile }).map((problem) => `${field}${problem}`))
  const duration = attempt('duration', () => parseDuration(spec.duration ?? defaultDuration))
  const renewBefore =
    spec.renewBefore === undefined ? undefined : attempt('renewBefore', () => parseDuration(spec.renewBefore as string))
  if (problems.length > 0 || bearer === undefined || duration === undefined || shape === undefined) return { problems }
  return {
    wanted: {
      authority: {
        namespace: spec.authorityRef.namespace ?? certificate.metadata.namespace ?? 'default',
        name: spec.authorityRef.name,
      },
      ...bearer,
      keyEncoding: encoding,
      reuseKey: bearer.request === undefined && spec.privateKey?.rotation === 'Never',
      duration,
      durationGiven: spec.duration !== undefined,
      renewal: { renewBefore, renewBeforePercentage: spec.renewBeforePercentage },
      ...(spec.rotation === undefined ? {} : { windows: spec.rotation.windows }),
      renewTrigger: renewTriggerOf(certificate),
      pkcs12Profile,
      ...(passwordRef === undefined
        ? {}
        : { passwordRef: { name: passwordRef.name, key: passwordRef.key ?? 'password' } }),
      needsPassword: items.some(({ content }) => contentNeedsPassword(content)),
      ...(withoutCertificate ? { withoutCertificate } : {}),
      secret: {
        name: spec.secret.name,
        ...shape,
        items,
        retain: spec.secret.deletionPolicy === 'Retain',
      },
    },
  }
}

type Bearer = Pick<Wanted, 'subject' | 'names' | 'keyUsage' | 'extendedKeyUsage' | 'keyAlgorithm' | 'request'>

const bearerOf = (
  spec: DatabaseCertificateSpec,
  seen: RequestSeen | undefined,
  attempt: Attempt,
  problems: string[],
): Bearer | undefined =>
  spec.request === undefined ? made(spec, attempt, problems) : asked(spec, seen, attempt, problems)

const nobody = (spec: DatabaseCertificateSpec): Bearer => ({
  subject: distinguishedName({}),
  names: [],
  keyUsage: [],
  extendedKeyUsage: [],
  keyAlgorithm: keyAlgorithmOf(spec.privateKey),
})

/** Who the certificate is for and what it may do, where the key is made here. */
const made = (spec: DatabaseCertificateSpec, attempt: Attempt, problems: string[]): Bearer | undefined => {
  const keyAlgorithm = keyAlgorithmOf(spec.privateKey)
  const subject = attempt('subject', () => subjectOf(spec))
  const before = problems.length
  const given = namesOf(spec, attempt)
  const names = given.length === 0 && problems.length === before ? namesOfSubject(spec, subject) : given
  const usages = attempt('usages', () => usagesFor(spec, keyAlgorithm))
  const listsNames = [spec.dnsNames, spec.ipAddresses, spec.uris, spec.emailAddresses].some(
    (list) => (list ?? []).length > 0,
  )
  if (!listsNames && names.length === 0 && subject !== undefined && subject.length <= 2)
    problems.push('spec: names nothing; set subject.commonName, dnsNames, ipAddresses, uris or emailAddresses.')
  return subject === undefined || usages === undefined ? undefined : { subject, names, ...usages, keyAlgorithm }
}

/** The same from a request made elsewhere. */
const asked = (
  spec: DatabaseCertificateSpec,
  seen: RequestSeen | undefined,
  attempt: Attempt,
  problems: string[],
): Bearer | undefined => {
  const subject = attempt('subject', () => subjectOf(spec))
  const names = namesOf(spec, attempt)
  if (seen?.state !== 'read') {
    problems.push(seen?.message ?? 'spec.request: has not been read.')
    return undefined
  }
  if (subject === undefined) return undefined
  const requested = requestedOf(spec, { subject, names }, seen.request)
  if ('problems' in requested) {
    problems.push(...requested.problems.map((problem) => `spec.request: ${problem}`))
    return undefined
  }
  const { spki, pem, ...bearer } = requested
  return { ...bearer, request: { spki, pem } }
}

const usagesFor = (spec: DatabaseCertificateSpec, keyAlgorithm: KeyAlgorithm): Usages => {
  const usages = usagesOf(roleOf(spec) ?? 'Server', spec.usages ?? [], keyAlgorithm)
  const problem = usageProblem(usages, keyAlgorithm.algorithm)
  if (problem !== undefined) throw new PlanError(problem)
  return usages
}

const subjectOf = (spec: DatabaseCertificateSpec): Uint8Array => {
  const literal = spec.subject?.literal
  return literal === undefined || literal === ''
    ? distinguishedName(spec.subject ?? {})
    : parseDistinguishedName(literal)
}

type Attempt = <T>(field: string, make: () => T) => T | undefined

/** As they are listed, in their normal form, each once. */
const namesOf = (spec: DatabaseCertificateSpec, attempt: Attempt): GeneralName[] => {
  const read = (
    field: string,
    type: GeneralName['type'],
    values: readonly string[],
    normalise: (text: string) => string,
  ) =>
    values.flatMap((value, index) => {
      const name = attempt(`${field}[${index}]`, () => normalise(value))
      return name === undefined ? [] : [{ type, value: name }]
    })
  const names = [
    ...read('dnsNames', 'DNS', spec.dnsNames ?? [], normaliseDnsName),
    ...read('ipAddresses', 'IP', spec.ipAddresses ?? [], normaliseIpAddress),
    ...read('uris', 'URI', spec.uris ?? [], normaliseUri),
    ...read('emailAddresses', 'Email', spec.emailAddresses ?? [], normaliseEmail),
  ]
  const seen = new Set<string>()
  return names.filter(({ type, value }) => !seen.has(`${type}:${value}`) && seen.add(`${type}:${value}`))
}

/** No verifier of today reads a server's name from the CN (RFC 9525 §2), so a server without names gets its CN as one. */
const namesOfSubject = (spec: DatabaseCertificateSpec, subject: Uint8Array | undefined): GeneralName[] => {
  const commonName = subject === undefined ? undefined : commonNameOf(subject)
  if (commonName === undefined || roleOf(spec) === 'Client') return []
  const value = dnsNameOrNothing(commonName)
  return value === undefined ? [] : [{ type: 'DNS', value }]
}

const dnsNameOrNothing = (text: string): string | undefined => {
  try {
    return normaliseDnsName(text)
  } catch (error) {
    if (error instanceof NameError) return undefined
    throw error
  }
}

/** What goes into the Secret, with the password that is made where none is given; nothing where that cannot be told. */
export const deliveredShape = (spec: DatabaseCertificateSpec) => {
  const shaped = shapeOf(spec)
  if (!('shape' in shaped)) return undefined
  return { ...shaped.shape, items: withPassword(shaped.shape.items, spec.keystore?.passwordSecretRef !== undefined) }
}

const withPassword = (items: readonly OutputItem[], passwordReferenced: boolean): readonly OutputItem[] => {
  const generates = !passwordReferenced && items.some(({ content }) => contentNeedsPassword(content))
  if (!generates || items.some(({ content, key }) => content === 'Password' || key === generatedPasswordKey))
    return items
  return [...items, { key: generatedPasswordKey, content: 'Password' }]
}
