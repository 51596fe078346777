/** What comes of a request, on a cluster and in a state folder alike. */

import type { Wanted } from '../../certificate/wanted.ts'
import type { Finding } from '../../control/decision.ts'
import type { ParsedCertificate } from '../../pki/certificates/parse.ts'

export interface Signed {
  /** signable: it was made, checked and thrown away. */
  readonly state: 'signed' | 'signable'
  readonly certificate: ParsedCertificate
  /** DER of the CAs above it, without the root. */
  readonly chain: readonly Uint8Array[]
  /** Serial number of the certificate that it takes the place of. */
  readonly supersedes?: string | undefined
  /** The DatabaseCertificate that has it signed again. */
  readonly holder?: { readonly namespace: string; readonly name: string } | undefined
}

export interface Refused {
  readonly state: 'refused'
  readonly refusals: readonly Pick<Finding, 'reason' | 'message'>[]
}

/** On a cluster nothing stands against it, as far as can be seen from here; the operator has the last word. */
export interface Admissible {
  readonly state: 'admissible'
  readonly wanted: Wanted
  /** The DatabaseCertificate that would be made. */
  readonly holder: { readonly namespace: string; readonly name: string }
}

export type Verdict = Signed | Refused | Admissible
