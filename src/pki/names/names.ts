/**
 * Distinguished names: from the fields of a manifest, from and to RFC 4514 text, as DER.
 * Bounds are those of RFC 5280 appendix A.1, counted in characters.
 */

import { attributeOf, attributeTypes, type AttributeType, NameError, type Relative, textOf } from './attributes.ts'
import { children, DerError, expectTag, readOid, readOnly, sequence, setOf, Tag } from '../encoding/der.ts'

export { NameError } from './attributes.ts'
export { parseDistinguishedName } from './parser.ts'

/** The subject of a manifest; an empty string counts as absent. */
export interface SubjectFields {
  readonly commonName?: string | undefined
  readonly organizations?: readonly string[] | undefined
  readonly organizationalUnits?: readonly string[] | undefined
  /** Two letters each (ISO 3166). */
  readonly countries?: readonly string[] | undefined
  readonly stateOrProvinces?: readonly string[] | undefined
  readonly localities?: readonly string[] | undefined
  readonly emailAddress?: string | undefined
}

export const emptyName: Uint8Array = sequence()

/** DER Name with RDNs in the order C, ST, L, O, OU, CN, emailAddress, one attribute each, as openssl writes it. */
export const distinguishedName = (subject: SubjectFields): Uint8Array => {
  const ordered: readonly (readonly [keyof typeof attributeTypes, readonly (string | undefined)[]])[] = [
    ['C', subject.countries ?? []],
    ['ST', subject.stateOrProvinces ?? []],
    ['L', subject.localities ?? []],
    ['O', subject.organizations ?? []],
    ['OU', subject.organizationalUnits ?? []],
    ['CN', [subject.commonName]],
    ['EMAILADDRESS', [subject.emailAddress]],
  ]
  const relatives = ordered.flatMap(([name, values]) =>
    values
      .filter((value): value is string => value !== undefined && value !== '')
      .map((value) => setOf(attributeOf(attributeTypes[name], value))),
  )
  return sequence(...relatives)
}

/** The RDNs of a DER Name in the order of the DER; throws NameError where the bytes are not a Name. */
export const readName = (der: Uint8Array): readonly Relative[] => {
  try {
    return children(readOnly(der, Tag.sequence)).map((relative) =>
      children(expectTag(relative, Tag.set)).map((attribute) => {
        const [type, value, ...more] = children(expectTag(attribute, Tag.sequence))
        if (type === undefined || value === undefined || more.length > 0)
          throw new DerError('an attribute of the name is not a pair of type and value')
        return { oid: readOid(type), value: value.encoded, text: textOf(value) }
      }),
    )
  } catch (error) {
    if (error instanceof DerError) throw new NameError(`The distinguished name is not valid DER: ${error.message}.`)
    throw error
  }
}

const shortNames = new Map<string, string>(
  Object.entries(attributeTypes).map(([name, { oid }]: [string, AttributeType]) => [oid, name]),
)

/** RFC 4514 text: begins with the last RDN of the DER. String types are not told apart in it, so it is for people. */
export const formatDistinguishedName = (der: Uint8Array): string =>
  readName(der)
    .toReversed()
    .map((relative) => relative.map(formatAttribute).join('+'))
    .join(',')

const formatAttribute = ({ oid, value, text }: Relative[number]): string => {
  const name = shortNames.get(oid)
  return name === undefined || text === undefined
    ? `${name ?? oid}=#${Buffer.from(value).toString('hex')}`
    : `${name}=${escapeValue(text)}`
}

const escapeValue = (text: string): string =>
  text
    .replace(/["+,;<>\\]/g, '\\$&')
    .replace(/\p{Cc}/gu, (character) => Buffer.from(character, 'utf8').toString('hex').replace(/../g, '\\$&'))
    .replace(/ $/, '\\ ')
    .replace(/^[ #]/, '\\$&')

/** The most specific (last) CN, as Go and Java read it. */
export const commonNameOf = (der: Uint8Array): string | undefined =>
  readName(der)
    .flat()
    .findLast(({ oid }) => oid === attributeTypes.CN.oid)?.text

/**
 * The same name with another most specific CN; all else byte for byte. Undefined where it has none. Throws NameError where
 * `text` cannot be one.
 */
export const withCommonName = (der: Uint8Array, text: string): Uint8Array | undefined => {
  const relatives = children(readOnly(der, Tag.sequence))
  const at = readName(der).findLastIndex((relative) => relative.some(({ oid }) => oid === attributeTypes.CN.oid))
  if (at === -1) return undefined
  return sequence(
    ...relatives.map((relative, index) => {
      if (index !== at) return relative.encoded
      const attributes = children(expectTag(relative, Tag.set))
      const last = attributes.findLastIndex((attribute) => readOid(firstOf(attribute)) === attributeTypes.CN.oid)
      return setOf(
        ...attributes.map(({ encoded }, place) => (place === last ? attributeOf(attributeTypes.CN, text) : encoded)),
      )
    }),
  )
}

const firstOf = (attribute: Parameters<typeof children>[0]): Parameters<typeof readOid>[0] => {
  const [type] = children(attribute)
  if (type === undefined) throw new NameError('The distinguished name has an attribute without a type.')
  return type
}
