/** Whether the revocation lists beside a certificate are those of its CA, are current, and do not name it. */

import { equal, type ParsedCertificate } from '../../pki/certificates/parse.ts'
import { decodePem } from '../../pki/encoding/pem.ts'
import { parseRevocationList, type ParsedRevocationList, revocationListVerifies } from '../../pki/revocation/parse.ts'
import type { Instant } from '../../runtime/clock.ts'

/** One sentence each; undefined where no list here is of the certificate's CA, and nothing can be said. */
export const revocationProblems = (
  leaf: ParsedCertificate,
  lists: ReadonlyMap<string, Uint8Array>,
  authorities: readonly ParsedCertificate[],
  now: Instant,
): string[] | undefined => {
  const read = [...lists].flatMap(([name, bytes]) => listsIn(bytes).map((list) => ({ name, list })))
  const own = read.filter(({ list }) => equal(list.issuer, leaf.issuer))
  const issuers = authorities.filter(({ subject }) => equal(subject, leaf.issuer))
  if (own.length === 0 || issuers.length === 0) return undefined
  return own.flatMap(({ name, list }) => [
    ...(issuers.some(({ spki }) => revocationListVerifies(list, spki))
      ? []
      : [`${name}: the revocation list is not signed by the CA of the certificate`]),
    ...(list.nextUpdate !== undefined && list.nextUpdate < now
      ? [`${name}: the revocation list was to be replaced by ${new Date(list.nextUpdate).toISOString()}`]
      : []),
    ...list.revoked
      .filter(({ serialNumber }) => serialNumber === leaf.serialNumber)
      .map(({ revokedAt, reason = 'unspecified' }) => {
        return `the certificate was revoked at ${new Date(revokedAt).toISOString()} (${reason})`
      }),
  ])
}

const listsIn = (bytes: Uint8Array): ParsedRevocationList[] => {
  try {
    const ders =
      bytes[0] === 0x30
        ? [bytes]
        : decodePem(Buffer.from(bytes).toString('latin1'), { headers: true })
            .filter(({ label }) => label === 'X509 CRL')
            .map(({ der }) => der)
    return ders.map(parseRevocationList)
  } catch {
    // What cannot be read was told already.
    return []
  }
}
