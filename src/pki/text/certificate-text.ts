/**
 * A certificate in words, as `openssl x509 -noout -text` prints it (names in the form of OpenSSL 3.2 and later): what people
 * and their scripts are used to.
 */

import { extensionLines } from './extensions.ts'
import { colonHex, hexLines, indent, nameText } from './parts.ts'
import {
  children,
  DerError,
  readBitString,
  readOid,
  readOnly,
  readUnsignedInteger,
  Tag,
  type Element,
} from '../encoding/der.ts'
import { publicKeyTypes } from '../keys/encodings.ts'
import type { ParsedCertificate } from '../certificates/parse.ts'

/** Ends with a line break. Every character that is not visible ASCII is escaped. */
export const certificateText = (certificate: ParsedCertificate): string => {
  const { issuer, subject, notBefore, notAfter, spki, extensions, serialNumber } = certificate
  const [tbs, algorithm, signature] = children(readOnly(certificate.der, Tag.sequence))
  if (tbs === undefined || algorithm === undefined || signature === undefined) throw new DerError('a field is missing')
  const signedWith = `Signature Algorithm: ${algorithmName(algorithm)}`
  const data = [
    versionLine(tbs),
    ...serialLines(serialNumber),
    signedWith,
    `Issuer: ${nameText(issuer)}`,
    'Validity',
    ...indent(4, [`Not Before: ${timeText(notBefore)}`, `Not After : ${timeText(notAfter)}`]),
    `Subject: ${nameText(subject)}`,
    'Subject Public Key Info:',
    ...indent(4, publicKeyLines(spki)),
    ...(extensions.length === 0 ? [] : ['X509v3 extensions:', ...indent(4, extensions.flatMap(extensionLines))]),
  ]
  return [
    'Certificate:',
    ...indent(4, ['Data:', ...indent(4, data), signedWith, 'Signature Value:']),
    ...indent(8, hexLines(readBitString(signature), 18)),
    '',
  ].join('\n')
}

const versionLine = (tbs: Element): string => {
  const [first] = children(tbs)
  const version = first?.tag === 0xa0 ? (first.contents.at(-1) ?? 0) : 0
  return `Version: ${version + 1} (0x${version.toString(16)})`
}

/** Numbers that a C long holds are shown in decimal, too. */
const serialLines = (serialNumber: string): string[] => {
  const value = BigInt(`0x${serialNumber}`)
  if (value < 1n << 63n) return [`Serial Number: ${value} (0x${value.toString(16)})`]
  return ['Serial Number:', `    ${colonHex(Buffer.from(serialNumber, 'hex')).toLowerCase()}`]
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const timeText = (instant: number): string => {
  const date = new Date(instant)
  const clock = date.toISOString().slice(11, 19)
  const day = String(date.getUTCDate()).padStart(2)
  return `${months[date.getUTCMonth()]} ${day} ${clock} ${date.getUTCFullYear()} GMT`
}

const algorithmNames = new Map([
  ['1.2.840.113549.1.1.5', 'sha1WithRSAEncryption'],
  ['1.2.840.113549.1.1.11', 'sha256WithRSAEncryption'],
  ['1.2.840.113549.1.1.12', 'sha384WithRSAEncryption'],
  ['1.2.840.113549.1.1.13', 'sha512WithRSAEncryption'],
  ['1.2.840.10045.4.3.2', 'ecdsa-with-SHA256'],
  ['1.2.840.10045.4.3.3', 'ecdsa-with-SHA384'],
  ['1.2.840.10045.4.3.4', 'ecdsa-with-SHA512'],
  ['1.3.101.112', 'ED25519'],
])

const algorithmName = (identifier: Element): string => {
  const [type] = children(identifier)
  const id = type === undefined ? '' : readOid(type)
  return algorithmNames.get(id) ?? id
}

const curveNames = new Map([
  ['1.2.840.10045.3.1.7', { asn1: 'prime256v1', nist: 'P-256', bits: 256 }],
  ['1.3.132.0.34', { asn1: 'secp384r1', nist: 'P-384', bits: 384 }],
  ['1.3.132.0.35', { asn1: 'secp521r1', nist: 'P-521', bits: 521 }],
])

const publicKeyLines = (spki: Uint8Array): string[] => {
  const [identifier, key] = children(readOnly(spki, Tag.sequence))
  const [type, parameters] = identifier === undefined ? [] : children(identifier)
  if (type === undefined || key === undefined) throw new DerError('the public key is not a SubjectPublicKeyInfo')
  const id = readOid(type)
  const bits = readBitString(key)
  switch (id) {
    case publicKeyTypes.rsa:
      return ['Public Key Algorithm: rsaEncryption', ...indent(4, rsaLines(bits))]
    case publicKeyTypes.ec:
      return ['Public Key Algorithm: id-ecPublicKey', ...indent(4, ecLines(bits, parameters))]
    case publicKeyTypes.ed25519:
      return [
        'Public Key Algorithm: ED25519',
        ...indent(4, ['ED25519 Public-Key:', 'pub:', ...indent(4, hexLines(bits, 15))]),
      ]
    default:
      return [`Public Key Algorithm: ${id}`]
  }
}

const rsaLines = (bits: Uint8Array): string[] => {
  const [modulus, exponent] = children(readOnly(bits, Tag.sequence))
  if (modulus === undefined || exponent === undefined) throw new DerError('the RSA public key is cut off')
  const size = BigInt(`0x${Buffer.from(readUnsignedInteger(modulus)).toString('hex')}`).toString(2).length
  const power = BigInt(`0x${Buffer.from(readUnsignedInteger(exponent)).toString('hex')}`)
  return [
    `Public-Key: (${size} bit)`,
    'Modulus:',
    ...indent(4, hexLines(modulus.contents, 15)),
    `Exponent: ${power} (0x${power.toString(16)})`,
  ]
}

const ecLines = (bits: Uint8Array, parameters: Element | undefined): string[] => {
  const curve = parameters?.tag === Tag.oid ? curveNames.get(readOid(parameters)) : undefined
  return [
    ...(curve === undefined ? [] : [`Public-Key: (${curve.bits} bit)`]),
    'pub:',
    ...indent(4, hexLines(bits, 15)),
    ...(curve === undefined ? [] : [`ASN1 OID: ${curve.asn1}`, `NIST CURVE: ${curve.nist}`]),
  ]
}
