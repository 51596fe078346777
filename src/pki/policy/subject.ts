/**
 * The policy section of `openssl ca`: what each attribute of a subject must be. As openssl has it, with two differences:
 * an attribute that the policy does not list is refused and not dropped in silence, because a certificate under another
 * name than was asked for is found out in production; and `Match` compares characters, not string types, on which CAs and
 * requests of different make hardly ever agree.
 */

import { children, readOnly, sequence, setOf, Tag } from '../encoding/der.ts'
import { attributeTypes, type Relative } from '../names/attributes.ts'
import { readName } from '../names/names.ts'

export type AttributeRule = 'Match' | 'Supplied' | 'Optional'

/** Fields of a subject → rule; in the order of policy_match of openssl.cnf, with the locality where DNs have it. */
const policyAttributes = {
  countries: attributeTypes.C.oid,
  stateOrProvinces: attributeTypes.ST.oid,
  localities: attributeTypes.L.oid,
  organizations: attributeTypes.O.oid,
  organizationalUnits: attributeTypes.OU.oid,
  commonName: attributeTypes.CN.oid,
  emailAddress: attributeTypes.EMAILADDRESS.oid,
} as const

type Field = keyof typeof policyAttributes

export type SubjectPolicy = { readonly [Name in Field]?: AttributeRule | undefined }

const fields = Object.keys(policyAttributes) as Field[]
const titles = new Map<string, string>(Object.entries(attributeTypes).map(([name, { oid }]) => [oid, name]))

/** One sentence for each attribute that breaks its rule. Both names are DER. */
export const subjectViolations = (policy: SubjectPolicy, caSubject: Uint8Array, subject: Uint8Array): string[] => {
  const found = readName(subject).flat()
  const authority = readName(caSubject).flat()
  return [
    ...fields.flatMap((field) => fieldViolations(field, policy[field], authority, found)),
    ...found.filter(({ oid }) => !listed(policy, oid)).map((attribute) => unlisted(attribute)),
  ]
}

const listed = (policy: SubjectPolicy, oid: string): boolean =>
  fields.some((field) => policyAttributes[field] === oid && policy[field] !== undefined)

const unlisted = ({ oid, text }: Relative[number]): string =>
  `policy.subject does not list the attribute ${titles.get(oid) ?? oid} (${JSON.stringify(text ?? '')}), so it is refused; list it as Optional to allow it.`

const fieldViolations = (
  field: Field,
  rule: AttributeRule | undefined,
  authority: Relative,
  subject: Relative,
): string[] => {
  if (rule === undefined || rule === 'Optional') return []
  const oid = policyAttributes[field]
  const title = titles.get(oid) ?? oid
  const values = subject.filter((attribute) => attribute.oid === oid)
  if (values.length === 0) return [`policy.subject.${field} is ${rule}, and the subject has no ${title}.`]
  if (rule === 'Supplied') return []
  const wanted = authority.filter((attribute) => attribute.oid === oid)
  if (wanted.length === 0)
    return [`policy.subject.${field} is Match, but the CA itself has no ${title}; set it to Supplied or Optional.`]
  return values
    .filter((value) => !wanted.some((other) => sameValue(value, other)))
    .map(
      ({ text }) =>
        `policy.subject.${field} is Match, and ${title} is ${JSON.stringify(text ?? '')}, not ${wanted.map((other) => JSON.stringify(other.text ?? '')).join(' or ')} as in the CA.`,
    )
}

const sameValue = (a: Relative[number], b: Relative[number]): boolean =>
  a.text === undefined || b.text === undefined ? Buffer.compare(a.value, b.value) === 0 : a.text === b.text

/**
 * What `openssl ca` makes of a subject without -preserveDN: one attribute in each part, in the order of the policy. Here
 * attributes that are not listed stay, at the end, so that they are refused by name. DER in, DER out; values keep their bytes.
 */
export const subjectInPolicyOrder = (subject: Uint8Array): Uint8Array => {
  const order: readonly string[] = Object.values(policyAttributes)
  const rank = (oid: string): number => (order.includes(oid) ? order.indexOf(oid) : order.length)
  const encodings = children(readOnly(subject, Tag.sequence)).flatMap((relative) => children(relative))
  const ranks = readName(subject)
    .flat()
    .map(({ oid }) => rank(oid))
  const sorted = encodings
    .map(({ encoded }, index) => ({ encoded, rank: ranks[index] ?? order.length }))
    .toSorted((a, b) => a.rank - b.rank)
  return sequence(...sorted.map(({ encoded }) => setOf(encoded)))
}
