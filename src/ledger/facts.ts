/**
 * The few facts of a certificate that the operator keeps of every ledger entry, read without judging the rest: tens of
 * thousands are read at a start, and an imported history may hold certificates that nobody would sign today.
 */

import { children, DerError, type Element, expectTag, readOnly, readTime, Tag } from '../pki/encoding/der.ts'
import { readAuthorityKeyId } from '../pki/certificates/extensions.ts'

export interface CertificateFacts {
  /** ms since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
  /** Of the subject; the last one where there are several. */
  readonly commonName: string | undefined
  /** Lower-case hex. */
  readonly authorityKeyId: string | undefined
  readonly isCa: boolean
  /** SubjectPublicKeyInfo; a view of the whole certificate, not to be kept. */
  readonly spki: Uint8Array
}

const commonNameId = Buffer.from('550403', 'hex')
const authorityKeyIdentifierId = Buffer.from('551d23', 'hex')
const basicConstraintsId = Buffer.from('551d13', 'hex')

/** Undefined where the text is no PEM certificate. */
export const factsOf = (pem: string): CertificateFacts | undefined => {
  try {
    const [tbs] = children(readOnly(derOf(pem), Tag.sequence))
    if (tbs === undefined) return undefined
    const fields = children(tbs)
    if (fields[0]?.tag === 0xa0) fields.shift()
    const [, , , validity, subject, publicKey, ...optional] = fields
    if (validity === undefined || subject === undefined || publicKey === undefined) return undefined
    const [notBefore, notAfter] = children(validity)
    if (notBefore === undefined || notAfter === undefined) return undefined
    const extensions = optional.find(({ tag }) => tag === 0xa3)
    return {
      notBefore: readTime(notBefore),
      notAfter: readTime(notAfter),
      commonName: commonNameOf(subject),
      spki: publicKey.encoded,
      ...(extensions === undefined
        ? { authorityKeyId: undefined, isCa: false }
        : extensionFacts(children(readOnly(extensions.contents, Tag.sequence)))),
    }
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
}

const header = 'CERTIFICATE-----'

/** Without a look at each character, as decodePem takes: what is no certificate fails at the DER. */
const derOf = (pem: string): Uint8Array => {
  const begin = pem.indexOf(header) + header.length
  return Buffer.from(pem.slice(begin, pem.indexOf('-----END', begin)), 'base64')
}

const commonNameOf = (subject: Element): string | undefined => {
  let found: string | undefined
  for (const relative of children(subject))
    for (const attribute of children(relative)) {
      const [type, value] = children(attribute)
      if (type === undefined || value === undefined || !commonNameId.equals(type.contents)) continue
      const bytes = Buffer.from(value.contents)
      // BMPString is UTF-16 in the other order of bytes; the rest is UTF-8 or a part of it.
      found = value.tag === Tag.bmpString ? bytes.swap16().toString('utf16le') : bytes.toString('utf8')
    }
  return found
}

const extensionFacts = (extensions: readonly Element[]): Pick<CertificateFacts, 'authorityKeyId' | 'isCa'> => {
  let authorityKeyId: string | undefined
  let isCa = false
  for (const extension of extensions) {
    const parts = children(extension)
    const [id] = parts
    const value = parts.at(-1)
    if (id === undefined || value === undefined) continue
    if (authorityKeyIdentifierId.equals(id.contents)) {
      const keyId = readAuthorityKeyId(value.contents)
      authorityKeyId = keyId === undefined ? undefined : Buffer.from(keyId).toString('hex')
    } else if (basicConstraintsId.equals(id.contents)) {
      const [first] = children(expectTag(readOnly(value.contents), Tag.sequence))
      isCa = first?.tag === Tag.boolean && first.contents[0] === 0xff
    }
  }
  return { authorityKeyId, isCa }
}
