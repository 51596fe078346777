/** Extensions in words, as openssl prints them; those without words here, and broken ones, as their characters. */

import { addressText, colonHex, dump, generalNameText, indent, nameText } from './parts.ts'
import {
  children,
  DerError,
  type Element,
  readBoolean,
  readOid,
  readOnly,
  readSmallInteger,
  Tag,
} from '../encoding/der.ts'
import { extensionIds, type RawExtension } from '../certificates/extensions.ts'
import { NameError } from '../names/attributes.ts'

export const extensionLines = (extension: RawExtension): string[] => {
  const [title, body] = described(extension)
  return [`${title}: ${extension.critical ? 'critical' : ''}`, ...indent(4, body)]
}

const described = ({ oid, value }: RawExtension): [string, string[]] => {
  const known = kinds.get(oid)
  if (known === undefined) return [oid, [dump(value)]]
  try {
    return [known.title, known.lines(value)]
  } catch (error) {
    if (error instanceof DerError || error instanceof NameError) return [known.title, [dump(value)]]
    throw error
  }
}

const members = (value: Uint8Array): Element[] => children(readOnly(value, Tag.sequence))

const basicConstraints = (value: Uint8Array): string[] => {
  const [ca, length] = members(value)
  const isCa = ca !== undefined && readBoolean(ca)
  const limit = length === undefined ? '' : `, pathlen:${readSmallInteger(length)}`
  return [`CA:${isCa ? 'TRUE' : 'FALSE'}${limit}`]
}

const usageBits = [
  'Digital Signature',
  'Non Repudiation',
  'Key Encipherment',
  'Data Encipherment',
  'Key Agreement',
  'Certificate Sign',
  'CRL Sign',
  'Encipher Only',
  'Decipher Only',
]

const keyUsage = (value: Uint8Array): string[] => {
  const [, ...bytes] = readOnly(value, Tag.bitString).contents
  return [usageBits.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0).join(', ')]
}

const usages = new Map([
  ['1.3.6.1.5.5.7.3.1', 'TLS Web Server Authentication'],
  ['1.3.6.1.5.5.7.3.2', 'TLS Web Client Authentication'],
  ['1.3.6.1.5.5.7.3.3', 'Code Signing'],
  ['1.3.6.1.5.5.7.3.4', 'E-mail Protection'],
  ['1.3.6.1.5.5.7.3.8', 'Time Stamping'],
  ['1.3.6.1.5.5.7.3.9', 'OCSP Signing'],
  ['2.5.29.37.0', 'Any Extended Key Usage'],
])

const extendedKeyUsage = (value: Uint8Array): string[] => [
  members(value)
    .map(readOid)
    .map((id) => usages.get(id) ?? id)
    .join(', '),
]

const authorityKeyId = (value: Uint8Array): string[] => {
  const found = members(value)
  const alone = found.length === 1
  return found.flatMap(({ tag, contents, encoded }) => {
    if (tag === 0x80) return `${alone ? '' : 'keyid:'}${colonHex(contents)}`
    if (tag === 0xa1) return children({ tag, contents, encoded }).map(generalNameText)
    return `serial:${colonHex(contents)}`
  })
}

const distributionPoints = (value: Uint8Array): string[] =>
  members(value).flatMap((point) => {
    const name = children(point).find(({ tag }) => tag === 0xa0)
    const full = name === undefined ? undefined : children(name).find(({ tag }) => tag === 0xa0)
    return full === undefined ? [] : ['Full Name:', ...indent(2, children(full).map(generalNameText))]
  })

const accessMethods = new Map([
  ['1.3.6.1.5.5.7.48.1', 'OCSP'],
  ['1.3.6.1.5.5.7.48.2', 'CA Issuers'],
])

const informationAccess = (value: Uint8Array): string[] =>
  members(value).flatMap((description) => {
    const [method, location] = children(description)
    if (method === undefined || location === undefined) return []
    const id = readOid(method)
    return `${accessMethods.get(id) ?? id} - ${generalNameText(location)}`
  })

const nameConstraints = (value: Uint8Array): string[] =>
  members(value).flatMap((list) => [
    `${list.tag === 0xa0 ? 'Permitted' : 'Excluded'}:`,
    ...indent(
      2,
      children(list).flatMap((subtree) => children(subtree).slice(0, 1).map(subtreeText)),
    ),
  ])

const subtreeText = (base: Element): string => {
  const { tag, contents } = base
  if (tag === 0xa4)
    return `DirName:${children(base)
      .map((inner) => nameText(inner.encoded))
      .join()}`
  if (tag !== 0x87) return generalNameText(base)
  const half = contents.length / 2
  return `IP:${addressText(contents.subarray(0, half))}/${addressText(contents.subarray(half))}`
}

const kinds: ReadonlyMap<string, { readonly title: string; lines(value: Uint8Array): string[] }> = new Map([
  [extensionIds.basicConstraints, { title: 'X509v3 Basic Constraints', lines: basicConstraints }],
  [extensionIds.keyUsage, { title: 'X509v3 Key Usage', lines: keyUsage }],
  [extensionIds.extendedKeyUsage, { title: 'X509v3 Extended Key Usage', lines: extendedKeyUsage }],
  [
    extensionIds.subjectKeyId,
    {
      title: 'X509v3 Subject Key Identifier',
      lines: (value: Uint8Array) => [colonHex(readOnly(value, Tag.octetString).contents)],
    },
  ],
  [extensionIds.authorityKeyId, { title: 'X509v3 Authority Key Identifier', lines: authorityKeyId }],
  [
    extensionIds.subjectAlternativeName,
    {
      title: 'X509v3 Subject Alternative Name',
      lines: (value: Uint8Array) => [members(value).map(generalNameText).join(', ')],
    },
  ],
  [extensionIds.nameConstraints, { title: 'X509v3 Name Constraints', lines: nameConstraints }],
  [extensionIds.crlDistributionPoints, { title: 'X509v3 CRL Distribution Points', lines: distributionPoints }],
  [extensionIds.authorityInfoAccess, { title: 'Authority Information Access', lines: informationAccess }],
])
