/** The attribute types that names are made of, with their bounds and string types (RFC 5280 appendix A.1, RFC 4519). */

import { type Element, ia5String, oid, printableString, sequence, Tag, utf8String } from '../encoding/der.ts'

/** Says in a sentence what is wrong with a name and how to mend it. */
export class NameError extends Error {
  override readonly name = 'NameError'
}

export interface AttributeType {
  readonly oid: string
  readonly title: string
  /** Characters. */
  readonly bound: number
  readonly form: 'directory' | 'country' | 'printable' | 'ia5'
}

/** Keys are the short names of RFC 4514 §3, and those that openssl and Java add. */
export const attributeTypes = {
  CN: { oid: '2.5.4.3', title: 'commonName', bound: 64, form: 'directory' },
  C: { oid: '2.5.4.6', title: 'country', bound: 2, form: 'country' },
  ST: { oid: '2.5.4.8', title: 'stateOrProvince', bound: 128, form: 'directory' },
  L: { oid: '2.5.4.7', title: 'locality', bound: 128, form: 'directory' },
  O: { oid: '2.5.4.10', title: 'organization', bound: 64, form: 'directory' },
  OU: { oid: '2.5.4.11', title: 'organizationalUnit', bound: 64, form: 'directory' },
  DC: { oid: '0.9.2342.19200300.100.1.25', title: 'domainComponent', bound: 63, form: 'ia5' },
  UID: { oid: '0.9.2342.19200300.100.1.1', title: 'userId', bound: 256, form: 'directory' },
  STREET: { oid: '2.5.4.9', title: 'streetAddress', bound: 128, form: 'directory' },
  SERIALNUMBER: { oid: '2.5.4.5', title: 'serialNumber', bound: 64, form: 'printable' },
  EMAILADDRESS: { oid: '1.2.840.113549.1.9.1', title: 'emailAddress', bound: 255, form: 'ia5' },
} as const satisfies Record<string, AttributeType>

/** One RDN: its attributes. `value` is the whole DER element, `text` its characters where it is a readable string. */
export type Relative = readonly {
  readonly oid: string
  readonly value: Uint8Array
  readonly text: string | undefined
}[]

const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/
// oxlint-disable-next-line no-control-regex -- ASCII without its control characters
const visibleAscii = /^[\x20-\x7e]*$/

/** DER AttributeTypeAndValue; throws NameError where the value breaks a rule of its type. */
export const attributeOf = (type: AttributeType, value: string): Uint8Array => {
  checkText(type, value)
  return sequence(oid(type.oid), stringOf(type, value))
}

/** The rules that hold for every string type: not empty, within its bound, no control characters. */
export const checkText = ({ title, bound }: Pick<AttributeType, 'title' | 'bound'>, value: string): void => {
  if (value === '') throw new NameError(`The ${title} is empty; leave it out or give it a value.`)
  if (!value.isWellFormed()) throw new NameError(`The ${title} is not valid Unicode (half of a surrogate pair).`)
  if (/\p{Cc}/u.test(value))
    throw new NameError(`The ${title} holds a control character, such as a line break or NUL; remove it.`)
  // UTF-16 units bound the characters from above, so that long input is refused before it is counted.
  const length = value.length > 2 * bound ? value.length : Array.from(value).length
  if (length > bound) throw new NameError(`The ${title} has ${length} characters; at most ${bound} are allowed.`)
}

const stringOf = (type: AttributeType, value: string): Uint8Array => {
  switch (type.form) {
    case 'country':
      if (!/^[A-Za-z]{2}$/.test(value))
        throw new NameError(`The country "${value}" is not two letters, such as DE or US.`)
      return printableString(value)
    case 'printable':
      if (!printable.test(value))
        throw new NameError(`The ${type.title} may hold letters, digits and ' ( ) + , - . / : = ? only.`)
      return printableString(value)
    case 'ia5':
      if (!visibleAscii.test(value)) throw new NameError(`The ${type.title} may hold ASCII characters only.`)
      return ia5String(value)
    default:
      return directoryString(value)
  }
}

/** PrintableString where the characters allow it, else UTF8String: what the common libraries write. */
export const directoryString = (value: string): Uint8Array =>
  printable.test(value) ? printableString(value) : utf8String(value)

/** The characters of a string value, or undefined where it is not one of the string types of names or is broken. */
export const textOf = (value: Element): string | undefined => {
  const bytes = Buffer.from(value.contents)
  switch (value.tag) {
    case Tag.utf8String: {
      const text = bytes.toString('utf8')
      return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined
    }
    case Tag.printableString:
    case Tag.ia5String:
      return bytes.every((byte) => byte < 0x80) ? bytes.toString('latin1') : undefined
    case Tag.teletexString:
      return bytes.toString('latin1')
    case Tag.bmpString: {
      if (bytes.length % 2 !== 0) return undefined
      const text = bytes.swap16().toString('utf16le')
      return text.isWellFormed() ? text : undefined
    }
    default:
      return undefined
  }
}
