/**
 * Certificate requests, PKCS#10 (RFC 2986), read with the strict DER reader. Reading says only what a request asks for;
 * what of it may be granted is judged in request-problems.ts and granted in request-plan.ts.
 */

import {
  children,
  DerError,
  type Element,
  expectTag,
  readBitString,
  readOid,
  readOnly,
  readSmallInteger,
  Tag,
} from '../encoding/der.ts'
import { type RawExtension, readExtensionValues } from '../certificates/extensions.ts'
import { algorithmOfSpki } from '../keys/keys.ts'
import { NameError, readName } from '../names/names.ts'
import { readExtension } from '../certificates/parse.ts'
import { decodePem, PemError } from '../encoding/pem.ts'
import type { GeneralName, KeyAlgorithm, KeyUsage } from '../plan.ts'

/** Says in a sentence why bytes are not a readable request. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
}

export interface CertificateRequest {
  readonly der: Uint8Array
  /** DER Name, byte for byte as it stands. */
  readonly subject: Uint8Array
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  /** undefined: a key that this program does not certify. */
  readonly keyAlgorithm: KeyAlgorithm | undefined
  /** Alternative names of the four types, as they stand. */
  readonly requestedNames: readonly GeneralName[]
  /** How many alternative names are of other types (otherName, directoryName …). */
  readonly otherNames: number
  /** All extensions that are asked for, repetitions included. */
  readonly requestedExtensions: readonly RawExtension[]
  readonly asksForCa: boolean
  readonly keyUsage: readonly KeyUsage[]
  /** Names of plan.ts, or dotted OIDs. */
  readonly extendedKeyUsage: readonly string[]
  /** Object identifiers of all attributes, repetitions included. */
  readonly attributes: readonly string[]
  /** CertificationRequestInfo, over which the signature is. */
  readonly signedBytes: Uint8Array
  /** DER AlgorithmIdentifier. */
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
}

/** Names of each type that a request may ask for; a DatabaseCertificate may list as many. */
export const maxNamesOfType = 200

/** The longest name of each type with its header, as many as may be asked for, and room for key, subject and the rest. */
export const maxRequestOctets = maxNamesOfType * (4 + 253 + (2 + 16) + (4 + 2048) + (4 + 64 + 1 + 253)) + 16 * 1024

const maxMembers = 32

/** Base64 takes a third more than the bytes; the rest is for the text that `openssl req -text` writes before it. */
const maxCharacters = 4 * maxRequestOctets

/** Reads PEM text that holds exactly one block, with any text around it, or DER. Throws RequestError. */
export const parseRequest = (request: string | Uint8Array): CertificateRequest => {
  const der = typeof request === 'string' ? requestBlock(request) : request
  if (der.length > maxRequestOctets)
    throw new RequestError(`The certificate request has ${der.length} bytes; at most ${maxRequestOctets} are read.`)
  try {
    return readRequest(der)
  } catch (error) {
    if (error instanceof DerError || error instanceof NameError)
      throw new RequestError(`The certificate request cannot be read: ${error.message.replace(/\.$/, '')}.`)
    throw error
  }
}

const labels = ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']

const requestBlock = (text: string): Uint8Array => {
  if (text.length > maxCharacters)
    throw new RequestError(
      `The text of the certificate request has ${text.length} characters; at most ${maxCharacters} are read.`,
    )
  const blocks = blocksOf(text)
  const [block] = blocks
  if (block === undefined) throw new RequestError('The text holds no PEM certificate request.')
  const strange = blocks.find(({ label }) => !labels.includes(label))
  if (strange !== undefined)
    throw new RequestError(`The text holds a PEM block ${strange.label}; keep the certificate request alone.`)
  if (blocks.length > 1) throw new RequestError('The text holds more than one certificate request; keep one.')
  return block.der
}

const blocksOf = (text: string): ReturnType<typeof decodePem> => {
  try {
    return decodePem(text)
  } catch (error) {
    if (error instanceof PemError) throw new RequestError(`The certificate request cannot be read: ${error.message}.`)
    throw error
  }
}

const readRequest = (der: Uint8Array): CertificateRequest => {
  const [info, signatureAlgorithm, signature, ...more] = children(readOnly(der, Tag.sequence))
  if (info === undefined || signatureAlgorithm === undefined || signature === undefined || more.length > 0)
    throw new DerError('a part is missing or too many')
  const [version, subject, spki, attributes, ...rest] = children(expectTag(info, Tag.sequence))
  if (version === undefined || subject === undefined || spki === undefined || rest.length > 0)
    throw new DerError('a field is missing or too many')
  if (readSmallInteger(version) !== 0) throw new DerError('its version is not 1')
  readName(subject.encoded)
  const wanted = attributes === undefined ? [] : children(expectTag(attributes, 0xa0)).map(readAttribute)
  const requestedExtensions = wanted.flatMap(extensionsOf)
  if (Math.max(wanted.length, requestedExtensions.length) > maxMembers)
    throw new DerError(`it has more than ${maxMembers} attributes or extensions`)
  const values = readExtensionValues(requestedExtensions)
  return {
    der,
    subject: subject.encoded,
    spki: expectTag(spki, Tag.sequence).encoded,
    keyAlgorithm: algorithmOfSpki(spki.encoded),
    requestedNames: values.subjectAlternativeNames,
    otherNames: values.otherAlternativeNames,
    requestedExtensions,
    asksForCa: values.isCa,
    keyUsage: values.keyUsage,
    extendedKeyUsage: values.extendedKeyUsage,
    attributes: wanted.map(({ oid }) => oid),
    signedBytes: info.encoded,
    signatureAlgorithm: expectTag(signatureAlgorithm, Tag.sequence).encoded,
    signature: readBitString(signature),
  }
}

/** PKCS#9 extensionRequest, and the older one of Microsoft with the same contents. */
const extensionRequests = new Set(['1.2.840.113549.1.9.14', '1.3.6.1.4.1.311.2.1.14'])

export const isExtensionRequest = (oid: string): boolean => extensionRequests.has(oid)

interface Attribute {
  readonly oid: string
  readonly values: readonly Element[]
}

const readAttribute = (element: Element): Attribute => {
  const [type, values, ...more] = children(expectTag(element, Tag.sequence))
  if (type === undefined || values === undefined || more.length > 0) throw new DerError('an attribute is malformed')
  return { oid: readOid(type), values: children(expectTag(values, Tag.set)) }
}

const extensionsOf = ({ oid, values }: Attribute): RawExtension[] => {
  if (!isExtensionRequest(oid)) return []
  const [value, ...more] = values
  if (value === undefined || more.length > 0) throw new DerError('its extension request has not exactly one value')
  return children(expectTag(value, Tag.sequence)).map(readExtension)
}
