/**
 * The "certs-only" form of a CMS SignedData (RFC 5652 §5.1, RFC 5280 §4.2.2.1): certificates without a signature, as
 * `.p7c` and `.p7b` files hold them.
 */

import { contextConstructed, integer, oid, sequence, setOf, tlv } from '../encoding/der.ts'

const contentTypes = { data: '1.2.840.113549.1.7.1', signedData: '1.2.840.113549.1.7.2' } as const

/** DER ContentInfo of these DER certificates. They are a SET: readers see them in the order of their bytes, not in this one. */
export const certsOnly = (certificates: readonly Uint8Array[]): Uint8Array => {
  const members = certificates.toSorted((a, b) => Buffer.compare(a, b))
  const nothing = setOf()
  const signedData = sequence(
    integer(1),
    nothing,
    sequence(oid(contentTypes.data)),
    // IMPLICIT: the tag takes the place of that of the SET.
    tlv(0xa0, ...members),
    nothing,
  )
  return sequence(oid(contentTypes.signedData), contextConstructed(0, signedData))
}
