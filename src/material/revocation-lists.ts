/** Revocation lists as Secrets hold them. While one CA takes the place of another there are two, and a verifier wants both. */

import { readElement } from '../pki/encoding/der.ts'
import { encodePem } from '../pki/encoding/pem.ts'

/** `lists`: DER, one after the other. */
export const revocationListPem = (lists: Uint8Array): string => {
  let text = ''
  for (let at = 0; at < lists.length;) {
    const { encoded } = readElement(lists, at)
    text += encodePem('X509 CRL', encoded)
    at += encoded.length
  }
  return text
}
