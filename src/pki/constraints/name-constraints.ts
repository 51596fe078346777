/**
 * Name constraints (RFC 5280 §4.2.1.10): from the fields of a manifest to one normal form, to and from DER.
 * What they mean for a certificate is judged in name-constraint-check.ts.
 */

import {
  ascii,
  children,
  contextConstructed,
  contextPrimitive,
  DerError,
  type Element,
  expectTag,
  readOnly,
  sequence,
  Tag,
} from '../encoding/der.ts'
import { normaliseDnsName, normaliseEmail } from '../names/general-names.ts'
import { addressToBytes, bytesToAddress } from '../names/ip-address.ts'
import { NameError, readName } from '../names/names.ts'
import type { NameConstraints, NameSubtrees } from '../plan.ts'

/** The members of a manifest; what is absent constrains nothing. */
export interface NameConstraintFields {
  readonly permitted?: NameSubtreeFields | undefined
  readonly excluded?: NameSubtreeFields | undefined
}

export interface NameSubtreeFields {
  /** `example.internal`: the domain and everything below it. */
  readonly dnsDomains?: readonly string[] | undefined
  /** `10.0.0.0/8`, `fd00::/8`. */
  readonly ipRanges?: readonly string[] | undefined
  /** `user@host`, `host`, or `.domain` for the hosts below a domain. */
  readonly emailAddresses?: readonly string[] | undefined
  /** `host`, or `.domain` for the hosts below a domain. */
  readonly uriDomains?: readonly string[] | undefined
}

/** The normal form, or undefined where nothing is constrained: the extension may not be empty. Throws NameError. */
export const nameConstraints = ({ permitted, excluded }: NameConstraintFields): NameConstraints | undefined => {
  const normal = {
    permitted: normaliseSubtrees(permitted ?? {}, false),
    excluded: normaliseSubtrees(excluded ?? {}, true),
  }
  return isEmpty(normal.permitted) && isEmpty(normal.excluded) ? undefined : normal
}

/** Lower case, canonical ranges, no repetitions. Throws NameError. */
export const normaliseNameConstraints = ({ permitted, excluded }: NameConstraints): NameConstraints => ({
  permitted: { ...normaliseSubtrees(permitted, false), directoryNames: permitted.directoryNames },
  excluded: { ...normaliseSubtrees(excluded, true), directoryNames: excluded.directoryNames },
})

const isEmpty = (subtrees: NameSubtrees): boolean => Object.values(subtrees).every(({ length }) => length === 0)

const normaliseSubtrees = (fields: NameSubtreeFields, excluding: boolean): NameSubtrees => ({
  dnsDomains: unique(fields.dnsDomains, (text) => (excluding && text === '' ? text : normaliseDomain(text))),
  ipRanges: unique(fields.ipRanges, normaliseIpRange),
  emailAddresses: unique(fields.emailAddresses, (text) =>
    text.includes('@') ? normaliseEmail(text) : normaliseHost(text),
  ),
  uriDomains: unique(fields.uriDomains, normaliseHost),
  directoryNames: [],
})

const unique = (values: readonly string[] | undefined, normalise: (text: string) => string): string[] => [
  ...new Set((values ?? []).map(normalise)),
]

/** A leading dot means different things to different verifiers in DNS constraints (RFC 5280 gives it no meaning there). */
const normaliseDomain = (text: string): string => {
  if (text.startsWith('.'))
    throw new NameError(
      `The constrained domain ${JSON.stringify(text)} begins with a dot; write ${JSON.stringify(text.slice(1))}, which stands for the domain and everything below it.`,
    )
  if (text.startsWith('*'))
    throw new NameError(
      `The constrained domain ${JSON.stringify(text)} is a wildcard; write the domain alone, which stands for everything below it too.`,
    )
  return normaliseDnsName(text)
}

const normaliseHost = (text: string): string =>
  text.startsWith('.') ? `.${normaliseDomain(text.slice(1))}` : normaliseDomain(text)

/** Canonical `address/prefix`, with the bits of the host cleared. Throws NameError. */
export const normaliseIpRange = (text: string): string => formatRange(ipRangeToBytes(text))

/** Address and mask, 8 or 32 octets (RFC 5280 §4.2.1.10). Throws NameError. */
export const ipRangeToBytes = (text: string): Uint8Array => {
  const [, address = '', prefix = ''] = /^([^/]{2,45})\/(0|[1-9][0-9]{0,2})$/.exec(text) ?? []
  const bytes = addressToBytes(address)
  if (bytes === undefined || Number(prefix) > bytes.length * 8)
    throw new NameError(
      `${JSON.stringify(text.slice(0, 80))} is not an address range; write it like 10.0.0.0/8 or fd00::/8.`,
    )
  const mask = maskOf(Number(prefix), bytes.length)
  return Uint8Array.of(...bytes.map((byte, index) => byte & (mask[index] ?? 0)), ...mask)
}

const maskOf = (prefix: number, octets: number): Uint8Array =>
  Uint8Array.from({ length: octets }, (_, index) => 0xff00 >> Math.min(Math.max(prefix - 8 * index, 0), 8))

const formatRange = (bytes: Uint8Array): string => {
  const half = bytes.length / 2
  const mask = bytes.subarray(half)
  const prefix = Array.from(mask, (byte) => byte.toString(2))
    .join('')
    .replaceAll('0', '').length
  if (Buffer.compare(mask, maskOf(prefix, half)) !== 0) throw new DerError('an address range has a mask with holes')
  return `${bytesToAddress(bytes.subarray(0, half))}/${prefix}`
}

/** Names that no host bears (RFC 2606 §2), for types where a verifier has no way to say "none at all". */
const nobody = 'invalid'

/**
 * Whether names of some type are permitted, which closes the other types. Directory names neither close nor are closed:
 * they are about the subject, and a CA of "O=Acme" would otherwise certify no server at all.
 */
export const permitsNames = ({ permitted }: NameConstraints): boolean => !isEmpty({ ...permitted, directoryNames: [] })

/**
 * Closes the types that permitted names of other types leave open: a CA permitted `example.internal` alone may otherwise
 * still certify every address, URI and mailbox. DNS and IP are excluded as a whole; for email and URI, whose excluded
 * forms OpenSSL does not read as "everything", one host that cannot exist is permitted. Constraints that permit nothing
 * are about single exceptions and stay as they are, and so do those that permit directory names alone.
 */
export const closeOpenTypes = (constraints: NameConstraints): NameConstraints => {
  const { permitted, excluded } = constraints
  if (!permitsNames(constraints)) return constraints
  const closed = (open: readonly string[], list: readonly string[], ...all: string[]): readonly string[] =>
    open.length > 0 ? list : [...new Set([...list, ...all])]
  return {
    permitted: {
      ...permitted,
      emailAddresses: closed(permitted.emailAddresses, permitted.emailAddresses, nobody),
      uriDomains: closed(permitted.uriDomains, permitted.uriDomains, nobody),
    },
    excluded: {
      ...excluded,
      dnsDomains: closed(permitted.dnsDomains, excluded.dnsDomains, ''),
      ipRanges: closed(permitted.ipRanges, excluded.ipRanges, '0.0.0.0/0', '::/0'),
    },
  }
}

/** DER NameConstraints of a normal form. */
export const encodeNameConstraints = ({ permitted, excluded }: NameConstraints): Uint8Array =>
  sequence(...encodeSubtrees(0, permitted), ...encodeSubtrees(1, excluded))

const encodeSubtrees = (tag: number, subtrees: NameSubtrees): Uint8Array[] => {
  const bases = [
    ...subtrees.emailAddresses.map((text) => contextPrimitive(1, ascii(text))),
    ...subtrees.dnsDomains.map((text) => contextPrimitive(2, ascii(text))),
    ...subtrees.directoryNames.map((name) => contextConstructed(4, name)),
    ...subtrees.uriDomains.map((text) => contextPrimitive(6, ascii(text))),
    ...subtrees.ipRanges.map((text) => contextPrimitive(7, ipRangeToBytes(text))),
  ]
  return bases.length === 0 ? [] : [contextConstructed(tag, ...bases.map((base) => sequence(base)))]
}

/**
 * NameConstraints as they stand; text in lower case but for local parts. Subtrees of the forms that no certificate of
 * this program carries (otherName, x400Address …) are passed over. Throws DerError, also for minimum and maximum, which
 * RFC 5280 forbids.
 */
export const readNameConstraints = (der: Uint8Array): NameConstraints => {
  const members = children(readOnly(der, Tag.sequence))
  const tags = members.map(({ tag }) => tag).join()
  if (!['160', '161', '160,161'].includes(tags)) throw new DerError('the name constraints are malformed')
  const find = (tag: number): Element | undefined => members.find((member) => member.tag === tag)
  return { permitted: readSubtrees(find(0xa0)), excluded: readSubtrees(find(0xa1)) }
}

const readSubtrees = (list: Element | undefined): NameSubtrees => {
  const found = { dnsDomains: [], ipRanges: [], emailAddresses: [], uriDomains: [], directoryNames: [] } as {
    [Key in keyof NameSubtrees]: NameSubtrees[Key][number][]
  }
  if (list === undefined) return found
  const subtrees = children(list)
  if (subtrees.length === 0) throw new DerError('the name constraints have an empty list')
  for (const subtree of subtrees) {
    const [base, ...bounds] = children(expectTag(subtree, Tag.sequence))
    if (base === undefined || bounds.length > 0) throw new DerError('a name constraint has a minimum or a maximum')
    readBase(base, found)
  }
  return found
}

const readBase = (base: Element, found: { [Key in keyof NameSubtrees]: NameSubtrees[Key][number][] }): void => {
  switch (base.tag) {
    case 0x81:
      return void found.emailAddresses.push(lowerDomain(readText(base)))
    case 0x82:
      return void found.dnsDomains.push(readText(base).toLowerCase())
    case 0x86:
      return void found.uriDomains.push(readText(base).toLowerCase())
    case 0x87:
      if (base.contents.length !== 8 && base.contents.length !== 32)
        throw new DerError('an address range has neither 8 nor 32 octets')
      return void found.ipRanges.push(formatRange(base.contents))
    case 0xa4:
      readName(base.contents)
      return void found.directoryNames.push(base.contents)
    default:
      if ((base.tag & 0xc0) !== 0x80) throw new DerError('a name constraint is malformed')
  }
}

const lowerDomain = (text: string): string => {
  const at = text.lastIndexOf('@')
  return text.slice(0, at + 1) + text.slice(at + 1).toLowerCase()
}

const readText = ({ contents }: Element): string => {
  if (contents.some((byte) => byte < 0x20 || byte > 0x7e))
    throw new DerError('a name constraint holds characters that are not printable ASCII')
  return Buffer.from(contents).toString('latin1')
}
