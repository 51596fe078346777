/**
 * Subject alternative names: text as a person writes it → one normal form, or a NameError that says what is wrong and
 * how to mend it; and the GeneralName of RFC 5280 §4.2.1.6 to and from DER.
 */

import { domainToASCII } from 'node:url'
import {
  ascii,
  children,
  contextPrimitive,
  DerError,
  type Element,
  expectTag,
  readOnly,
  sequence,
  Tag,
} from '../encoding/der.ts'
import { addressToBytes, bytesToAddress, isAddress } from './ip-address.ts'
import { NameError } from './attributes.ts'
import type { GeneralName } from '../plan.ts'

/** Shortens and makes visible what a message quotes. */
const quote = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)

/** Refuses what no name may hold, and what would start a second name in the syntax of openssl's configuration files. */
const refuseSeparators = (kind: string, text: string): void => {
  if (text === '') throw new NameError(`The ${kind} is empty.`)
  if (!text.isWellFormed()) throw new NameError(`The ${kind} ${quote(text)} is not valid Unicode.`)
  if (/\p{Cc}/u.test(text))
    throw new NameError(`The ${kind} ${quote(text)} holds a control character, such as a line break or NUL; remove it.`)
  if (/\s/u.test(text)) throw new NameError(`The ${kind} ${quote(text)} holds a space; remove it.`)
}

/**
 * A DNS name as RFC 5280 has it in certificates: A-labels, lower case, no trailing dot; a wildcard only as the whole
 * left-most label; underscores are accepted, since SRV-like and service names have them.
 */
export const normaliseDnsName = (text: string): string => {
  refuseSeparators('DNS name', text)
  if (text.includes(','))
    throw new NameError(`The DNS name ${quote(text)} holds a comma; write each name as an item of its own.`)
  if (text.length > 1024) throw new NameError(`The DNS name ${quote(text)} is longer than 253 characters.`)
  const wildcard = text.startsWith('*.')
  const host = toAscii(text, wildcard ? text.slice(2) : text)
  const name = wildcard ? `*.${host}` : host
  if (name.length > 253)
    throw new NameError(`The DNS name ${quote(text)} has ${name.length} characters; at most 253 are allowed.`)
  if (isAddress(name)) throw new NameError(`${quote(text)} is an IP address; list it under ipAddresses, not dnsNames.`)
  for (const label of host.split('.')) checkLabel(text, label)
  return name
}

const toAscii = (text: string, host: string): string => {
  if (host.includes('*'))
    throw new NameError(
      `The DNS name ${quote(text)} has a "*" that is not the whole left-most label; write it like *.db.example.`,
    )
  const stray = /[^A-Za-z0-9._\-\u0080-\u{10ffff}]/u.exec(host)
  if (stray !== null)
    throw new NameError(
      `The DNS name ${quote(text)} holds ${quote(stray[0])}; letters, digits, "-", "_" and "." are allowed.`,
    )
  const name = withoutTrailingDot(host)
  if (/^[A-Za-z0-9._-]*$/.test(name)) return name.toLowerCase()
  const converted = domainToASCII(name)
  if (converted === '')
    throw new NameError(
      `The DNS name ${quote(text)} is not a valid internationalised name (UTS 46); write its xn-- form.`,
    )
  return withoutTrailingDot(converted.toLowerCase())
}

const withoutTrailingDot = (name: string): string => (name.endsWith('.') ? name.slice(0, -1) : name)

const checkLabel = (text: string, label: string): void => {
  if (label === '') throw new NameError(`The DNS name ${quote(text)} has an empty label (a dot too many).`)
  if (label.length > 63)
    throw new NameError(
      `The DNS name ${quote(text)} has a label of ${label.length} characters; at most 63 are allowed.`,
    )
  if (!/^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/.test(label))
    throw new NameError(`The DNS name ${quote(text)} has a label that begins or ends with "-"; remove it.`)
}

/** Canonical text of an IPv4 or IPv6 address (RFC 5952); an IPv4-mapped IPv6 address stays one of 16 octets. */
export const normaliseIpAddress = (text: string): string => bytesToAddress(ipToBytes(text))

/** 4 or 16 octets. */
export const ipToBytes = (text: string): Uint8Array => {
  refuseSeparators('IP address', text)
  if (text.includes('/')) throw new NameError(`${quote(text)} is a range; a certificate names single IP addresses.`)
  if (text.includes('%'))
    throw new NameError(`${quote(text)} has a zone; a certificate names IP addresses without one.`)
  const bytes = addressToBytes(text)
  if (bytes === undefined)
    throw new NameError(
      `${quote(text)} is not an IP address; write it like 192.0.2.7 or 2001:db8::7, host names under dnsNames.`,
    )
  return bytes
}

/** An absolute URI (RFC 3986), scheme and host in lower case; IRIs must be percent-encoded by who writes them. */
export const normaliseUri = (text: string): string => {
  refuseSeparators('URI', text)
  if (text.length > 2048)
    throw new NameError(`The URI ${quote(text)} has ${text.length} characters; at most 2048 are allowed.`)
  if (!/^([A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*$/.test(text))
    throw new NameError(`The URI ${quote(text)} holds a character that must be percent-encoded.`)
  const [, scheme, rest] = /^([A-Za-z][A-Za-z0-9+.-]*):(.+)$/.exec(text) ?? []
  if (scheme === undefined || rest === undefined)
    throw new NameError(`The URI ${quote(text)} has no scheme; write it like spiffe://cluster.local/ns/data/sa/orders.`)
  if (!rest.startsWith('//')) return `${scheme.toLowerCase()}:${rest}`
  const [, userInfo = '', host = '', tail = ''] = /^\/\/([^/?#@]*@)?([^/?#]*)(.*)$/.exec(rest) ?? []
  if (host === '' || host.startsWith(':'))
    throw new NameError(`The URI ${quote(text)} has no host between "//" and the path (RFC 5280 §4.2.1.6).`)
  const uri = `${scheme.toLowerCase()}://${userInfo}${host.toLowerCase()}${tail}`
  if (!/^[A-Za-z0-9\-._~%!$&'()*+,;=]+(:[0-9]*)?$|^\[[0-9a-f:.]+\](:[0-9]*)?$/i.test(host))
    throw new NameError(`The URI ${quote(text)} has a host that is neither a name nor an address.`)
  return uri
}

/** An ASCII mailbox (RFC 5280 rfc822Name); the domain in lower case, the local part as it is. */
export const normaliseEmail = (text: string): string => {
  refuseSeparators('email address', text)
  const at = text.lastIndexOf('@')
  const local = text.slice(0, Math.max(at, 0))
  if (at < 1 || at === text.length - 1)
    throw new NameError(`The email address ${quote(text)} is not of the form name@domain.`)
  if (local.length > 64)
    throw new NameError(`The email address ${quote(text)} has more than 64 characters before the "@".`)
  if (!/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/.test(local))
    throw new NameError(
      `The email address ${quote(text)} may hold only plain ASCII letters, digits and dots before the "@".`,
    )
  if (text.includes('*', at)) throw new NameError(`The email address ${quote(text)} has a wildcard in its domain.`)
  return `${local}@${normaliseDnsName(text.slice(at + 1))}`
}

const normalisers: Record<GeneralName['type'], (text: string) => string> = {
  DNS: normaliseDnsName,
  IP: normaliseIpAddress,
  URI: normaliseUri,
  Email: normaliseEmail,
}

export const normaliseGeneralName = ({ type, value }: GeneralName): GeneralName => ({
  type,
  value: normalisers[type](value),
})

export const sameGeneralName = (a: GeneralName, b: GeneralName): boolean => a.type === b.type && a.value === b.value

/** Without repetitions, in the order of first appearance. */
export const uniqueNames = (names: readonly GeneralName[]): GeneralName[] => [
  ...new Map(names.map((name) => [`${name.type}:${name.value}`, name])).values(),
]

/** DER GeneralName of a normalised name. */
export const encodeGeneralName = ({ type, value }: GeneralName): Uint8Array => {
  switch (type) {
    case 'Email':
      return contextPrimitive(1, ascii(value))
    case 'DNS':
      return contextPrimitive(2, ascii(value))
    case 'URI':
      return contextPrimitive(6, ascii(value))
    default:
      return contextPrimitive(7, ipToBytes(value))
  }
}

/** DER GeneralNames. */
export const encodeGeneralNames = (names: readonly GeneralName[]): Uint8Array =>
  sequence(...names.map(encodeGeneralName))

/** GeneralNames as found; `others` counts those of types that this program has no words for (otherName, directoryName …). */
export const readGeneralNames = (der: Uint8Array): { names: GeneralName[]; others: number } => {
  const elements = children(readOnly(der, Tag.sequence))
  const names = elements.map(readGeneralName).filter((name) => name !== undefined)
  return { names, others: elements.length - names.length }
}

const textTypes = new Map<number, GeneralName['type']>([
  [0x81, 'Email'],
  [0x82, 'DNS'],
  [0x86, 'URI'],
])

const readGeneralName = (element: Element): GeneralName | undefined => {
  if (element.tag === 0x87) {
    if (element.contents.length !== 4 && element.contents.length !== 16)
      throw new DerError('an IP address in the names has neither 4 nor 16 octets')
    return { type: 'IP', value: bytesToAddress(element.contents) }
  }
  const type = textTypes.get(element.tag)
  if (type === undefined) {
    if ((element.tag & 0xc0) !== 0x80) expectTag(element, 0xa0)
    return undefined
  }
  // A NUL or a line break here has fooled verifiers that work on text; no honest certificate holds one.
  if (element.contents.some((byte) => byte < 0x20 || byte > 0x7e))
    throw new DerError(`a ${type} name holds characters that are not printable ASCII`)
  return { type, value: Buffer.from(element.contents).toString('latin1') }
}
