/** What a CertificateAuthority asks for with every default resolved. Pure. */

import { isRequested, rotationOf } from '../control/rotation.ts'
import type { RenewalRule } from '../control/schedule.ts'
import { distinguishedName, emptyName, parseDistinguishedName } from '../pki/names/names.ts'
import { closeOpenTypes, nameConstraints } from '../pki/constraints/name-constraints.ts'
import type { KeyAlgorithm, NameConstraints } from '../pki/plan.ts'
import { authoritySecretName, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { parseDuration } from '../resources/duration.ts'
import { keyAlgorithmOf } from '../resources/keys.ts'
import { parentOf, passphraseRefOf } from './names.ts'

export interface Wanted {
  readonly secretName: string
  /** DER Name. */
  readonly subject: Uint8Array
  readonly keyAlgorithm: KeyAlgorithm
  /** ms */
  readonly duration: number
  readonly renewal: RenewalRule
  /** Whether it is another CA that follows it before it ends, and not the same key. */
  readonly replaced: boolean
  /** Whether somebody has asked for another one, and nobody has acted on it: it may come at once, or in months. */
  readonly asked: boolean
  /** Of one that is over (renewal.ts): that one has to wait for a rotation of another CA. */
  readonly heldUp?: true
  /** undefined: no limit. */
  readonly maxPathLength: number | undefined
  /** What the certificate says, with every type closed that the permitted names leave open; undefined: nothing. */
  readonly nameConstraints: NameConstraints | undefined
  readonly parent: { readonly namespace: string; readonly name: string } | undefined
  readonly encrypted: boolean
}

export type Resolved = { readonly wanted: Wanted } | { readonly problems: readonly string[] }

/** Whether the certificate is made here, under the name of the spec. */
const made = ({ source }: CertificateAuthority['spec']): boolean =>
  source.selfSigned !== undefined || source.intermediate !== undefined

export const resolve = (authority: CertificateAuthority): Resolved => {
  const { spec } = authority
  const problems: string[] = []
  const attempt = <T>(field: string, make: () => T): T | undefined => {
    try {
      return make()
    } catch (error) {
      problems.push(`spec.${field}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }
  const { literal, ...attributes } = spec.subject ?? {}
  const subject = attempt('subject', () =>
    literal === undefined || literal === '' ? distinguishedName(attributes) : parseDistinguishedName(literal),
  )
  if (made(spec) && subject !== undefined && subject.length <= emptyName.length)
    problems.push('spec.subject: names nothing; a CA needs a subject.commonName or subject.literal.')
  const duration = attempt('duration', () => parseDuration(spec.duration))
  const renewBefore =
    spec.renewBefore === undefined ? undefined : attempt('renewBefore', () => parseDuration(spec.renewBefore as string))
  const constraints = attempt('nameConstraints', () => constraintsOf(spec))
  if (subject === undefined || duration === undefined || problems.length > 0) return { problems }
  const parent = parentOf(authority)
  return {
    wanted: {
      secretName: authoritySecretName(authority),
      subject,
      keyAlgorithm: keyAlgorithmOf(spec.privateKey),
      duration,
      renewal: { renewBefore },
      replaced: spec.rotation?.onExpiry === 'NewKey',
      asked: isNewKeyRequested(authority),
      maxPathLength: spec.maxPathLength ?? (parent === undefined ? undefined : 0),
      nameConstraints: constraints,
      parent,
      encrypted: passphraseRefOf(authority) !== undefined,
    },
  }
}

/** As the rotation takes it: the same key again would be no answer to its being known. */
const isNewKeyRequested = (authority: CertificateAuthority): boolean => {
  const { onTrigger, reason } = rotationOf(authority)
  return isRequested(authority) && (onTrigger === 'NewKey' || reason === 'Compromised')
}

const constraintsOf = ({ nameConstraints: fields }: CertificateAuthority['spec']): NameConstraints | undefined => {
  const constraints = fields === undefined ? undefined : nameConstraints(fields)
  return constraints === undefined ? undefined : closeOpenTypes(constraints)
}

/** Fields that would change what is signed or trusted and that this version does not act on: ignoring them silently would be worse. */
export const notImplementedFields = ({ spec }: CertificateAuthority): string[] => [
  // The key of one that was brought along is its owner's to replace.
  ...(made(spec) || (spec.rotation?.trigger ?? '') === '' ? [] : ['spec.rotation.trigger']),
  ...(made(spec) || spec.rotation?.crossSign !== true ? [] : ['spec.rotation.crossSign']),
]
