/** Where a CA publishes its certificate and its revocation list: two extensions of what it signs, with http URLs alone. */

import {
  ascii,
  children,
  contextConstructed,
  contextPrimitive,
  type Element,
  expectTag,
  oid,
  readOid,
  readOnly,
  sequence,
  Tag,
} from '../encoding/der.ts'

const uri = (url: string): Uint8Array => contextPrimitive(6, ascii(url))

/** DER CRLDistributionPoints (RFC 5280 §4.2.1.13): one point, where every URL gives the same list. */
export const encodeDistributionPoints = (urls: readonly string[]): Uint8Array =>
  sequence(sequence(contextConstructed(0, contextConstructed(0, ...urls.map(uri)))))

const caIssuers = '1.3.6.1.5.5.7.48.2'

/** DER AuthorityInfoAccessSyntax (RFC 5280 §4.2.2.1). */
export const encodeCaIssuers = (urls: readonly string[]): Uint8Array =>
  sequence(...urls.map((url) => sequence(oid(caIssuers), uri(url))))

/** URLs of all points; names of other types, reasons and issuers are passed over. Throws DerError. */
export const readDistributionPoints = (value: Uint8Array): string[] =>
  children(readOnly(value, Tag.sequence)).flatMap((point) => {
    const name = children(expectTag(point, Tag.sequence)).find(({ tag }) => tag === 0xa0)
    const fullName = name === undefined ? undefined : children(name).find(({ tag }) => tag === 0xa0)
    return fullName === undefined ? [] : children(fullName).flatMap(urlOf)
  })

/** URLs of the CA's certificate; other ways of access, such as OCSP, are passed over. Throws DerError. */
export const readCaIssuers = (value: Uint8Array): string[] =>
  children(readOnly(value, Tag.sequence)).flatMap((description) => {
    const [method, location] = children(expectTag(description, Tag.sequence))
    return method === undefined || location === undefined || readOid(method) !== caIssuers ? [] : urlOf(location)
  })

/** Other people's certificates may have anything here, and nothing is decided by it: what is no text is passed over. */
const urlOf = ({ tag, contents }: Element): string[] =>
  tag === 0x86 && contents.every((byte) => byte > 0x20 && byte < 0x7f) ? [Buffer.from(contents).toString('latin1')] : []
