/** RFC 4514 text → DER Name, in one pass over a bounded string. */

import {
  attributeOf,
  attributeTypes,
  checkText,
  type AttributeType,
  directoryString,
  NameError,
  textOf,
} from './attributes.ts'
import { DerError, oid, readOnly, sequence, setOf } from '../encoding/der.ts'

const maxCharacters = 4096
const maxRelatives = 64

const byName = new Map<string, AttributeType>(Object.entries(attributeTypes))
const byOid = new Map<string, AttributeType>(Object.values(attributeTypes).map((type) => [type.oid, type]))

interface Cursor {
  readonly text: string
  at: number
}

/**
 * Parses RFC 4514 text: the string begins with the last RDN of the DER. Attribute types are short names in any case
 * (CN, C, ST, L, O, OU, DC, UID, STREET, SERIALNUMBER, EMAILADDRESS) or dotted OIDs; values are strings with `\` escapes
 * or `#` and the hex of a DER value. Spaces around `,` `+` `=` are ignored, as RFC 2253 §4 had it. Throws NameError.
 */
export const parseDistinguishedName = (rfc4514: string): Uint8Array => {
  if (rfc4514.length > maxCharacters)
    throw new NameError(`The distinguished name has ${rfc4514.length} characters; at most ${maxCharacters} are read.`)
  if (!rfc4514.isWellFormed()) throw new NameError('The distinguished name is not valid Unicode.')
  const cursor: Cursor = { text: rfc4514, at: 0 }
  skipSpaces(cursor)
  const relatives: Uint8Array[] = []
  if (cursor.at === rfc4514.length) return sequence()
  for (;;) {
    relatives.push(readRelative(cursor))
    if (relatives.length > maxRelatives)
      throw new NameError(`The distinguished name has more than ${maxRelatives} parts.`)
    if (cursor.at === rfc4514.length) return sequence(...relatives.toReversed())
    cursor.at += 1
  }
}

/** Reads attributes up to the comma or the end. */
const readRelative = (cursor: Cursor): Uint8Array => {
  const attributes: Uint8Array[] = []
  const seen = new Set<string>()
  for (;;) {
    const type = readType(cursor)
    if (seen.has(type.oid))
      throw new NameError(
        `The distinguished name joins two values of ${type.oid} with "+"; separate them with a comma.`,
      )
    seen.add(type.oid)
    attributes.push(readAttribute(cursor, type))
    if (cursor.text[cursor.at] !== '+') return setOf(...attributes)
    cursor.at += 1
  }
}

interface NamedType {
  readonly oid: string
  readonly known: AttributeType | undefined
}

const readType = (cursor: Cursor): NamedType => {
  const equals = cursor.text.indexOf('=', cursor.at)
  if (equals < 0)
    throw new NameError(
      `The distinguished name has no "=" after character ${cursor.at}; write it like CN=orders,O=Acme.`,
    )
  const written = cursor.text.slice(cursor.at, equals).trim()
  cursor.at = equals + 1
  const known = byName.get(written.toUpperCase()) ?? byOid.get(written)
  if (known !== undefined) return { oid: known.oid, known }
  try {
    oid(written)
  } catch {
    throw new NameError(
      `The distinguished name has the unknown type "${written.slice(0, 40)}"; use one of ${[...byName.keys()].join(', ')} or a dotted object identifier.`,
    )
  }
  return { oid: written, known: undefined }
}

const readAttribute = (cursor: Cursor, type: NamedType): Uint8Array => {
  skipSpaces(cursor)
  if (cursor.text[cursor.at] === '#') return sequence(oid(type.oid), readHexValue(cursor, type))
  const value = readString(cursor)
  if (type.known !== undefined) return attributeOf(type.known, value)
  checkText({ title: `value of ${type.oid}`, bound: 256 }, value)
  return sequence(oid(type.oid), directoryString(value))
}

const hexDigits = /[0-9A-Fa-f]*/y

const readHexValue = (cursor: Cursor, type: NamedType): Uint8Array => {
  hexDigits.lastIndex = cursor.at + 1
  const hex = hexDigits.exec(cursor.text)?.[0] ?? ''
  cursor.at += 1 + hex.length
  skipSpaces(cursor)
  const next = cursor.text[cursor.at]
  if (hex === '' || hex.length % 2 !== 0 || (next !== undefined && next !== ',' && next !== '+'))
    throw new NameError(
      'A value of the distinguished name that begins with "#" must be pairs of hex digits; escape a literal "#" as "\\#".',
    )
  const value = Buffer.from(hex, 'hex')
  checkValue(value, type)
  return value
}

/** Text in hex keeps its string type, and has to keep the same rules as text in letters. */
const checkValue = (value: Uint8Array, { oid: dotted, known }: NamedType): void => {
  try {
    const text = textOf(readOnly(value))
    if (known === undefined && text === undefined) return
    if (text === undefined) throw new DerError('it is not a string')
    if (known === undefined) checkText({ title: `value of ${dotted}`, bound: 256 }, text)
    else attributeOf(known, text)
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    throw new NameError(`A value of the distinguished name that begins with "#" is not usable DER: ${error.message}.`)
  }
}

const special = new Set('"+,;<>\\ #=')
const mustBeEscaped = new Set('";<>\u0000')

/** Reads a value with its escapes up to an unescaped comma, plus or the end; hex pairs are octets of UTF-8. */
const readString = (cursor: Cursor): string => {
  const { text } = cursor
  const parts: Buffer[] = []
  let significant = 0
  for (let next = text[cursor.at]; next !== undefined && next !== ',' && next !== '+'; next = text[cursor.at]) {
    if (mustBeEscaped.has(next))
      throw new NameError(
        `The distinguished name holds ${next === '\u0000' ? 'a NUL' : next}, which must be escaped as \\${next === '\u0000' ? '00' : next}.`,
      )
    const character =
      next === '\\' ? readEscape(cursor) : Buffer.from(String.fromCodePoint(text.codePointAt(cursor.at) ?? 0), 'utf8')
    cursor.at += next === '\\' ? 0 : (text.codePointAt(cursor.at) ?? 0) > 0xffff ? 2 : 1
    parts.push(character)
    if (next !== ' ') significant = parts.length
  }
  const bytes = Buffer.concat(parts.slice(0, significant))
  const value = bytes.toString('utf8')
  if (!Buffer.from(value, 'utf8').equals(bytes))
    throw new NameError('The distinguished name has hex escapes that are not UTF-8.')
  return value
}

const readEscape = (cursor: Cursor): Buffer => {
  const following = cursor.text[cursor.at + 1]
  if (following !== undefined && special.has(following)) {
    cursor.at += 2
    return Buffer.from(following, 'utf8')
  }
  const hex = cursor.text.slice(cursor.at + 1, cursor.at + 3)
  if (!/^[0-9A-Fa-f]{2}$/.test(hex))
    throw new NameError('A "\\" in the distinguished name must be followed by a special character or two hex digits.')
  cursor.at += 3
  return Buffer.from(hex, 'hex')
}

const skipSpaces = (cursor: Cursor): void => {
  while (cursor.text[cursor.at] === ' ') cursor.at += 1
}
