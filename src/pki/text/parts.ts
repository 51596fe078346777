/** Parts of what openssl prints: indented lines, bytes in hex, names, general names. */

import { attributeTypes } from '../names/attributes.ts'
import { children, type Element, readOid, Tag } from '../encoding/der.ts'
import { bytesToAddress } from '../names/ip-address.ts'
import { readName } from '../names/names.ts'

export const indent = (columns: number, lines: readonly string[]): string[] =>
  lines.map((line) => `${' '.repeat(columns)}${line}`)

/** `0A:1B`. */
export const colonHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(':')

/** Lower case, `perLine` bytes a line, with a colon at the end of every line but the last. */
export const hexLines = (bytes: Uint8Array, perLine: number): string[] => {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += perLine) {
    const more = at + perLine < bytes.length ? ':' : ''
    lines.push(`${colonHex(bytes.subarray(at, at + perLine)).toLowerCase()}${more}`)
  }
  return lines
}

/** Bytes as characters, with a dot for each that is not visible ASCII. */
export const dump = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => (byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : '.')).join('')

const shortNames = new Map<string, string>([
  ...Object.entries(attributeTypes).map(([name, { oid }]): [string, string] => [oid, name]),
  [attributeTypes.EMAILADDRESS.oid, 'emailAddress'],
  [attributeTypes.STREET.oid, 'street'],
  [attributeTypes.SERIALNUMBER.oid, 'serialNumber'],
])

/** XN_FLAG_ONELINE of openssl: in the order of the DER, quoted where RFC 2253 would escape, other than ASCII as `\C3\BC`. */
export const nameText = (der: Uint8Array): string =>
  readName(der)
    .map((relative) =>
      relative.map(({ oid, text, value }) => `${shortNames.get(oid) ?? oid}=${valueText(text, value)}`).join(' + '),
    )
    .join(', ')

const valueText = (text: string | undefined, value: Uint8Array): string => {
  if (text === undefined) return `#${Buffer.from(value).toString('hex').toUpperCase()}`
  const quoted = /[,+<>;]|^[# ]| $/.test(text)
  // oxlint-disable-next-line no-control-regex -- all but visible ASCII
  const escaped = text.replace(/["\\]/g, '\\$&').replace(/[\x00-\x1f\x7f-\u{10ffff}]/gu, escapedBytes)
  return quoted ? `"${escaped}"` : escaped
}

const escapedBytes = (character: string): string =>
  Buffer.from(character, 'utf8').toString('hex').toUpperCase().replace(/../g, '\\$&')

/** One GeneralName (RFC 5280 §4.2.1.6). */
export const generalNameText = (name: Element): string => {
  const { tag, contents } = name
  switch (tag) {
    case 0x81:
      return `email:${dump(contents)}`
    case 0x82:
      return `DNS:${dump(contents)}`
    case 0x86:
      return `URI:${dump(contents)}`
    case 0x87:
      return `IP Address:${addressText(contents)}`
    case 0x88:
      return `Registered ID:${readOid({ tag: Tag.oid, contents, encoded: contents })}`
    case 0xa4:
      return `DirName:${children(name)
        .map((inner) => nameText(inner.encoded))
        .join()}`
    case 0xa0:
      return 'othername:<unsupported>'
    default:
      return '<unsupported>'
  }
}

/** openssl writes IPv6 in full groups without leading zeros. */
export const addressText = (bytes: Uint8Array): string => {
  if (bytes.length === 4) return bytesToAddress(bytes)
  if (bytes.length !== 16) return '<invalid>'
  return Array.from({ length: 8 }, (_, at) => (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16))
    .join(':')
    .toUpperCase()
}
