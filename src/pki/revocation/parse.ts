/** Reads certificate revocation lists (RFC 5280 §5) with the strict DER reader, and checks their signatures. */

import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import {
  children,
  DerError,
  type Element,
  expectTag,
  readBitString,
  readElement,
  readOid,
  readOnly,
  readSmallInteger,
  readTime,
  readUnsignedInteger,
  Tag,
} from '../encoding/der.ts'
import { readAuthorityKeyId } from '../certificates/extensions.ts'
import { NameError } from '../names/attributes.ts'
import { readName } from '../names/names.ts'
import type { RawExtension } from '../certificates/extensions.ts'
import { equal, readExtension } from '../certificates/parse.ts'
import { reasonOfCode, type RevocationReason } from './reason.ts'

/** Says in a sentence why bytes are not a usable revocation list, or why none was issued. */
export class RevocationListError extends Error {
  override readonly name = 'RevocationListError'
}

export const revocationExtensionIds = {
  number: '2.5.29.20',
  reasonCode: '2.5.29.21',
  invalidityDate: '2.5.29.24',
  authorityKeyId: '2.5.29.35',
} as const

export interface ParsedRevocationList {
  readonly der: Uint8Array
  /** DER Name, byte for byte. */
  readonly issuer: Uint8Array
  readonly authorityKeyId?: Uint8Array
  /** Milliseconds since the epoch, as all times here. */
  readonly thisUpdate: number
  /** Absent in lists that RFC 5280 does not know. */
  readonly nextUpdate?: number
  readonly number?: bigint
  /** In the order of the list. */
  readonly revoked: readonly ParsedRevokedEntry[]
  /**
   * Critical extensions that this program has no words for (delta lists, partitions): what is not in such a list may be
   * revoked nevertheless.
   */
  readonly unknownCritical: readonly string[]
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string
  /** DER TBSCertList and AlgorithmIdentifier, and the signature over the first by the second. */
  readonly tbs: Uint8Array
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
}

export interface ParsedRevokedEntry {
  /** Upper-case hex with an even number of digits. */
  readonly serialNumber: string
  readonly revokedAt: number
  readonly reason?: RevocationReason
  readonly invalidityTime?: number
}

/** A hundred thousand entries, and some. */
export const maxOctets = 8 * 1024 * 1024

/** Throws RevocationListError. Ten thousand entries take about 30 ms. */
export const parseRevocationList = (der: Uint8Array): ParsedRevocationList => {
  if (der.length > maxOctets)
    throw new RevocationListError(`The revocation list has ${der.length} bytes; at most ${maxOctets} are read.`)
  try {
    return readList(der)
  } catch (error) {
    if (error instanceof DerError || error instanceof NameError)
      throw new RevocationListError(`The revocation list cannot be read: ${error.message.replace(/\.$/, '')}.`)
    throw error
  }
}

const readList = (der: Uint8Array): ParsedRevocationList => {
  const { signed, entries, ...outline } = readOutline(der)
  return {
    der,
    ...outline,
    revoked: entries.map(readEntry),
    fingerprint: createHash('sha256').update(der).digest('hex'),
    ...signed,
  }
}

type Signed = Pick<ParsedRevocationList, 'tbs' | 'signatureAlgorithm' | 'signature'>

/** What the signature is over, and the signature. Throws DerError. */
export const readSigned = (der: Uint8Array): Signed => {
  const [tbs, algorithm, signature, ...others] = children(readOnly(der, Tag.sequence))
  if (!tbs || !algorithm || !signature || others.length > 0) throw new DerError('a part is missing or too many')
  return {
    tbs: expectTag(tbs, Tag.sequence).encoded,
    signatureAlgorithm: expectTag(algorithm, Tag.sequence).encoded,
    signature: readBitString(signature),
  }
}

/** Everything but the contents of the entries. Throws DerError or NameError. */
const readOutline = (der: Uint8Array) => {
  const signed = readSigned(der)
  const fields = children(readOnly(signed.tbs))
  const take = (...tags: readonly number[]): Element | undefined =>
    tags.includes(fields[0]?.tag ?? -1) ? fields.shift() : undefined
  const version = take(Tag.integer)
  const algorithm = take(Tag.sequence)
  const issuer = take(Tag.sequence)
  const thisUpdate = take(Tag.utcTime, Tag.generalizedTime)
  const nextUpdate = take(Tag.utcTime, Tag.generalizedTime)
  const revoked = take(Tag.sequence)
  const extensions = readExtensions(take(0xa0))
  if (!algorithm || !issuer || !thisUpdate || fields.length > 0) throw new DerError('a field is missing or unknown')
  if (!equal(algorithm.encoded, signed.signatureAlgorithm))
    throw new DerError('the signature algorithms inside and outside differ')
  const isFirst = version === undefined
  if (isFirst ? extensions.length > 0 : readSmallInteger(version) !== 1) throw new DerError('the version does not fit')
  readName(issuer.encoded)
  return {
    signed,
    issuer: issuer.encoded,
    thisUpdate: readTime(thisUpdate),
    ...(nextUpdate === undefined ? {} : { nextUpdate: readTime(nextUpdate) }),
    entries: revoked === undefined ? [] : atLeastOne(children(revoked), 'its list of revoked certificates is empty'),
    ...readListExtensions(extensions),
  }
}

const atLeastOne = <T>(found: T[], otherwise: string): T[] => {
  if (found.length === 0) throw new DerError(otherwise)
  return found
}

const readExtensions = (explicit: Element | undefined): RawExtension[] =>
  explicit === undefined ? [] : extensionsOf(readOnly(explicit.contents, Tag.sequence))

const extensionsOf = (list: Element): RawExtension[] => {
  const extensions = atLeastOne(children(list), 'a list of extensions is empty').map(readExtension)
  if (extensions.length > 1 && new Set(extensions.map(({ oid }) => oid)).size !== extensions.length)
    throw new DerError('an extension occurs twice')
  return extensions
}

const readListExtensions = (
  extensions: readonly RawExtension[],
): Pick<ParsedRevocationList, 'authorityKeyId' | 'number' | 'unknownCritical'> => {
  const find = (id: string): Uint8Array | undefined => extensions.find(({ oid }) => oid === id)?.value
  const keyId = find(revocationExtensionIds.authorityKeyId)
  const authorityKeyId = keyId === undefined ? undefined : readAuthorityKeyId(keyId)
  const number = find(revocationExtensionIds.number)
  const known: readonly string[] = [revocationExtensionIds.authorityKeyId, revocationExtensionIds.number]
  return {
    ...(authorityKeyId === undefined ? {} : { authorityKeyId }),
    ...(number === undefined ? {} : { number: readNumber(number) }),
    unknownCritical: extensions.filter(({ oid, critical }) => critical && !known.includes(oid)).map(({ oid }) => oid),
  }
}

const readNumber = (value: Uint8Array): bigint => {
  const bytes = readUnsignedInteger(readOnly(value, Tag.integer))
  if (bytes.length > 20) throw new DerError('the number of the list has more than 20 octets')
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

const readEntry = (element: Element): ParsedRevokedEntry => {
  const [serial, revokedAt, extensions, ...others] = children(expectTag(element, Tag.sequence))
  if (!serial || !revokedAt || others.length > 0) throw new DerError('an entry is malformed')
  const bytes = readUnsignedInteger(serial)
  if (bytes.length > 20) throw new DerError('a serial number has more than 20 octets')
  const { buffer, byteOffset, length } = bytes
  return {
    serialNumber: Buffer.from(buffer, byteOffset, length).toString('hex').toUpperCase(),
    revokedAt: readTime(revokedAt),
    ...(extensions === undefined ? {} : readEntryExtensions(extensionsOf(expectTag(extensions, Tag.sequence)))),
  }
}

/** A critical extension that is not understood forbids the use of the whole list (RFC 5280 §5.3). */
const readEntryExtensions = (
  extensions: readonly RawExtension[],
): Pick<ParsedRevokedEntry, 'reason' | 'invalidityTime'> => {
  const values: { reason?: RevocationReason; invalidityTime?: number } = {}
  for (const { oid, critical, value } of extensions)
    if (oid === revocationExtensionIds.reasonCode) values.reason = readReason(value)
    else if (oid === revocationExtensionIds.invalidityDate)
      values.invalidityTime = readTime(readOnly(value, Tag.generalizedTime))
    else if (critical) throw new DerError(`an entry has the critical extension ${oid}, which is not known here`)
  return values
}

const readReason = (value: Uint8Array): RevocationReason => {
  const { contents } = readOnly(value, Tag.enumerated)
  const reason = contents.length === 1 ? reasonOfCode(contents[0] ?? -1) : undefined
  if (reason === undefined) throw new DerError('the reason of an entry is none that a complete list may give')
  return reason
}

/** Key types of node:crypto and hash by the OID of the signature algorithm (RFC 4055, RFC 5758, RFC 8410). */
const schemes = new Map<string, readonly ['rsa' | 'ec' | 'ed25519', string | null]>([
  ['1.2.840.113549.1.1.11', ['rsa', 'sha256']],
  ['1.2.840.113549.1.1.12', ['rsa', 'sha384']],
  ['1.2.840.113549.1.1.13', ['rsa', 'sha512']],
  ['1.2.840.10045.4.3.2', ['ec', 'sha256']],
  ['1.2.840.10045.4.3.3', ['ec', 'sha384']],
  ['1.2.840.10045.4.3.4', ['ec', 'sha512']],
  ['1.3.101.112', ['ed25519', null]],
])

/**
 * True when the key (DER SubjectPublicKeyInfo, or made of it) signed the list; SHA-1 and what else nobody should believe
 * is false. Says nothing about whether the CA may sign lists, nor whether the list is of that CA: compare `issuer` as well.
 */
export const revocationListVerifies = (
  { tbs, signatureAlgorithm, signature }: Signed,
  signer: Uint8Array | KeyObject,
): boolean => {
  const [type, hash] = schemes.get(readOid(readElement(readOnly(signatureAlgorithm).contents))) ?? []
  if (type === undefined || hash === undefined) return false
  try {
    const key =
      signer instanceof Uint8Array ? createPublicKey({ key: Buffer.from(signer), format: 'der', type: 'spki' }) : signer
    return key.asymmetricKeyType === type && verify(hash, tbs, key, signature)
  } catch {
    // What is no key verifies nothing.
    return false
  }
}
