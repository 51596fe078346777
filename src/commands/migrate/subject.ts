/**
 * Subjects. cert-manager has the attributes in the order of Go's pkix.Name; where dbtls has another order for the same ones, the
 * name is written out, because databases that know their users by the subject compare it as a text. Pure.
 */

import { sequence, setOf } from '../../pki/encoding/der.ts'
import { attributeOf, type AttributeType, attributeTypes, NameError } from '../../pki/names/attributes.ts'
import { formatDistinguishedName, parseDistinguishedName } from '../../pki/names/names.ts'
import type { Reader } from './reader.ts'

const postalCode: AttributeType = { oid: '2.5.4.17', title: 'postal code', bound: 40, form: 'directory' }

/** pkix.Name.ToRDNSequence */
const order = [
  ['countries', attributeTypes.C],
  ['organizations', attributeTypes.O],
  ['organizationalUnits', attributeTypes.OU],
  ['localities', attributeTypes.L],
  ['provinces', attributeTypes.ST],
  ['streetAddresses', attributeTypes.STREET],
  ['postalCodes', postalCode],
] as const

type Subject =
  | { readonly literal: string }
  | {
      readonly commonName?: string
      readonly countries?: readonly string[]
      readonly organizations?: readonly string[]
      readonly organizationalUnits?: readonly string[]
    }

/** Undefined for an empty name. Throws NameError where a value cannot stand in a name. */
export const subjectOf = (certificate: Reader): Subject | undefined => {
  const literal = certificate.text('spec.literalSubject')
  if (literal !== undefined) {
    parseDistinguishedName(literal)
    for (const path of [
      'spec.commonName',
      ...order.map(([name]) => `spec.subject.${name}`),
      'spec.subject.serialNumber',
    ])
      if (certificate.has(path)) certificate.note(path, 'left out beside literalSubject, which is the whole name')
    return { literal }
  }
  const commonName = certificate.text('spec.commonName')
  const serialNumber = certificate.text('spec.subject.serialNumber')
  const values = order.map(([name, type]) => ({ name, type, values: certificate.texts(`spec.subject.${name}`) }))
  for (const { name, values: several } of values)
    if (several.length > 1)
      certificate.note(
        `spec.subject.${name}`,
        'cert-manager has put the values into one RDN; from the next renewal on each stands in its own, which changes the subject as a text',
      )
  const plain = serialNumber === undefined && values.slice(3).every(({ values: given }) => given.length === 0)
  if (plain) return fieldsOf(commonName, values)
  const relatives = [
    ...values.flatMap(({ type, values: given }) => given.map((value) => ({ type, value }))),
    ...(commonName === undefined ? [] : [{ type: attributeTypes.CN, value: commonName }]),
    ...(serialNumber === undefined ? [] : [{ type: attributeTypes.SERIALNUMBER, value: serialNumber }]),
  ]
  const name = sequence(...relatives.map(({ type, value }) => setOf(attributeOf(type, value))))
  const text = formatDistinguishedName(name)
  if (!Buffer.from(parseDistinguishedName(text)).equals(name))
    throw new NameError('The subject cannot be written out as RFC 4514 has it.')
  return { literal: text }
}

const fieldsOf = (
  commonName: string | undefined,
  values: readonly { readonly name: string; readonly values: readonly string[] }[],
): Subject | undefined => {
  const given = values.filter((one) => one.values.length > 0)
  if (commonName === undefined && given.length === 0) return undefined
  return {
    ...(commonName === undefined ? {} : { commonName }),
    ...Object.fromEntries(given.map((one) => [one.name, one.values])),
  }
}
