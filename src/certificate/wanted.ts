/**
 * What a DatabaseCertificate asks for with every default resolved and every name normalised: the value that the checks
 * compare with and that a plan is made from. Pure.
 */

import { contentNeedsPassword, itemProblems, type OutputItem } from '../material/contents.ts'
import { normaliseDnsName, normaliseEmail, normaliseIpAddress, normaliseUri } from '../pki/general-names.ts'
import { commonNameOf, distinguishedName, NameError, parseDistinguishedName } from '../pki/names.ts'
import type { ExtendedKeyUsage, GeneralName, KeyAlgorithm, KeyUsage } from '../pki/plan.ts'
import { usageProblem } from '../pki/plan-rules.ts'
import { PlanError, type Usages, usagesOf } from '../pki/plans.ts'
import type { RenewalRule } from '../control/schedule.ts'
import { parseDuration } from '../resources/duration.ts'
import { keyAlgorithmOf } from '../resources/keys.ts'
import {
  type DatabaseCertificate,
  type DatabaseCertificateSpec,
  itemsOf,
  roleOf,
  secretTypeOf,
} from '../resources/database-certificate.ts'

const day = 24 * 3600 * 1000

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
  /** ms */
  readonly duration: number
  readonly renewal: RenewalRule
  readonly renewTrigger: string
  readonly pkcs12Profile: 'Modern2023' | 'LegacyDES'
  /** Absent: a password is generated once, where an item needs one. */
  readonly passwordRef?: { readonly name: string; readonly key: string }
  readonly needsPassword: boolean
  readonly secret: WantedSecret
}

export interface WantedSecret {
  readonly name: string
  readonly type: 'kubernetes.io/tls' | 'Opaque'
  readonly items: readonly OutputItem[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly retain: boolean
}

/** The key under which a generated keystore password is published when no item asks for it: nobody could open the store otherwise. */
export const generatedPasswordKey = 'keystore-password'

export type Resolved = { readonly wanted: Wanted; readonly problems?: never } | { readonly problems: readonly string[] }

/** Resolves a spec, or names every field that only a person can mend. */
export const resolve = (certificate: DatabaseCertificate): Resolved => {
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

  const subject = attempt('subject', () => subjectOf(spec))
  const names = namesOf(spec, subject, attempt)
  const keyAlgorithm = keyAlgorithmOf(spec.privateKey)
  const encoding = spec.privateKey?.encoding ?? 'PKCS8'
  const pkcs12Profile = spec.keystore?.pkcs12Profile ?? 'Modern2023'
  const passwordRef = spec.keystore?.passwordSecretRef
  const items = withPassword(itemsOf(spec), passwordRef !== undefined)
  problems.push(
    ...itemProblems(items, { privateKey: true, keyAlgorithm: keyAlgorithm.algorithm }, { encoding, pkcs12Profile }).map(
      (problem) => `spec.secret.${problem}`,
    ),
  )
  const duration = attempt('duration', () => parseDuration(spec.duration ?? '90d')) ?? 90 * day
  const renewBefore =
    spec.renewBefore === undefined ? undefined : attempt('renewBefore', () => parseDuration(spec.renewBefore as string))
  const usages = attempt('usages', () => usagesFor(spec, keyAlgorithm))
  const asked = [spec.dnsNames, spec.ipAddresses, spec.uris, spec.emailAddresses].some(
    (list) => (list ?? []).length > 0,
  )
  if (!asked && names.length === 0 && subject !== undefined && subject.length <= 2)
    problems.push('spec: names nothing; set subject.commonName, dnsNames, ipAddresses, uris or emailAddresses.')
  if (problems.length > 0 || subject === undefined || usages === undefined) return { problems }
  return {
    wanted: {
      authority: {
        namespace: spec.authorityRef.namespace ?? certificate.metadata.namespace ?? 'default',
        name: spec.authorityRef.name,
      },
      subject,
      names,
      ...usages,
      keyAlgorithm,
      keyEncoding: encoding,
      reuseKey: spec.privateKey?.rotation === 'Never',
      duration,
      renewal: { renewBefore, renewBeforePercentage: spec.renewBeforePercentage },
      renewTrigger: spec.renewTrigger ?? '',
      pkcs12Profile,
      ...(passwordRef === undefined
        ? {}
        : { passwordRef: { name: passwordRef.name, key: passwordRef.key ?? 'password' } }),
      needsPassword: items.some(({ content }) => contentNeedsPassword(content)),
      secret: {
        name: spec.secret.name,
        type: secretTypeOf(spec),
        items,
        labels: spec.secret.labels ?? {},
        annotations: spec.secret.annotations ?? {},
        retain: spec.secret.deletionPolicy === 'Retain',
      },
    },
  }
}

const usagesFor = (spec: DatabaseCertificateSpec, keyAlgorithm: KeyAlgorithm): Usages => {
  const usages = usagesOf(roleOf(spec) ?? 'Server', spec.usages ?? [], keyAlgorithm)
  // The key of a request is not the one that privateKey speaks of.
  const problem = usageProblem(usages, spec.request === undefined ? keyAlgorithm.algorithm : undefined)
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

const namesOf = (spec: DatabaseCertificateSpec, subject: Uint8Array | undefined, attempt: Attempt): GeneralName[] => {
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
  const commonName = subject === undefined ? undefined : commonNameOf(subject)
  if (names.length === 0 && commonName !== undefined && roleOf(spec) !== 'Client') {
    // No verifier of today reads a server's name from the CN (RFC 9525 §2), so a server without names gets its CN as one.
    const dns = dnsNameOrNothing(commonName)
    if (dns !== undefined) names.push({ type: 'DNS', value: dns })
  }
  const seen = new Set<string>()
  return names.filter(({ type, value }) => !seen.has(`${type}:${value}`) && seen.add(`${type}:${value}`))
}

const dnsNameOrNothing = (text: string): string | undefined => {
  try {
    return normaliseDnsName(text)
  } catch (error) {
    if (error instanceof NameError) return undefined
    throw error
  }
}

const withPassword = (items: readonly OutputItem[], passwordReferenced: boolean): readonly OutputItem[] => {
  const generates = !passwordReferenced && items.some(({ content }) => contentNeedsPassword(content))
  if (!generates || items.some(({ content, key }) => content === 'Password' || key === generatedPasswordKey))
    return items
  return [...items, { key: generatedPasswordKey, content: 'Password' }]
}

/** Fields whose meaning comes with a later version: acting as if they were absent would deliver something else than asked for. */
export const notImplementedFields = ({ request, secret }: DatabaseCertificateSpec): string[] => [
  ...(request === undefined ? [] : ['spec.request']),
  ...((secret.layout ?? '') === '' ? [] : ['spec.secret.layout']),
  ...(secret.items ?? []).flatMap(({ content }, index) =>
    content === 'RevocationList' || content === 'AuthorityPrivateKey'
      ? [`spec.secret.items[${index}].content: ${content}`]
      : [],
  ),
]
