/** A folder of `openssl ca` taken over: every line of `index.txt` with its certificate. Pure. */

import { type NumberedLine, parseRevocation, formatIndex, formatRevocation, type Revocation } from './index-file.ts'
import { oneLine } from './one-line.ts'
import { type ParsedCertificate, parseCertificate, signatureVerifies } from '../../pki/certificates/parse.ts'
import { certificatesOf, encodePem } from '../../pki/encoding/pem.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'
import { entryName, labelValue } from '../record.ts'
import { marks } from '../../control/context.ts'
import { origins, specOf } from './stored.ts'

/** Bytes; a line has about 80, so this is a million certificates. */
export const maxIndexOctets = 128 * 1024 * 1024
/** Bytes of one certificate with the text before it. */
export const maxCertificateOctets = 1024 * 1024

/** The CA that takes the folder over. */
export interface Taker {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly certificate: ParsedCertificate
}

export interface Taken {
  readonly number: number
  readonly entry: IssuedCertificate
  /** A sentence where the line, but not its certificate, could be taken over. */
  readonly warning: string | undefined
}

/** Throws nothing: whatever is wrong with the file of a certificate is a warning, because its line still counts. */
export const takeLine = (
  { line, number }: NumberedLine,
  /** Contents of `newcerts/<serial>.pem`; undefined where there is no such file. */
  file: string | undefined,
  taker: Taker,
): Taken => {
  const { serialNumber } = line
  const found = file === undefined ? 'there is no such file' : read(file, serialNumber, taker.certificate)
  const [certificate, warning] = typeof found === 'string' ? [undefined, found] : [found, undefined]
  const revocation = line.state === 'R' ? parseRevocation(line.revocation) : undefined
  const entry: IssuedCertificate = {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'IssuedCertificate',
    metadata: {
      name: entryName(taker.name, serialNumber),
      namespace: taker.namespace,
      labels: {
        [marks.authority]: labelValue(taker.name),
        [marks.state]: line.state === 'R' ? 'Revoked' : line.state === 'E' ? 'Expired' : 'Valid',
      },
      annotations: {
        [origins.line]: String(number),
        ...(revocation === undefined || formatRevocation(revocation) === line.revocation
          ? {}
          : { [origins.revocation]: line.revocation }),
      },
    },
    spec: {
      authorityRef: { name: taker.name, uid: taker.uid, fingerprint: taker.certificate.fingerprint },
      serialNumber,
      certificate: certificate === undefined ? '' : encodePem('CERTIFICATE', certificate.der),
      ...(certificate === undefined ? { indexLine: formatIndex([line]).trimEnd() } : {}),
      ...(revocation === undefined ? {} : { revocation: specOf(revocation) }),
    },
  }
  return {
    number,
    entry,
    warning: warning === undefined ? undefined : `newcerts/${serialNumber}.pem: ${warning}`,
  }
}

/** The certificate, or why the file does not hold the one of the line. */
const read = (text: string, serialNumber: string, authority: ParsedCertificate): ParsedCertificate | string => {
  try {
    const [der, ...more] = certificatesOf(text)
    if (der === undefined) return 'it holds no certificate'
    if (more.length > 0) return 'it holds more than one certificate'
    const certificate = parseCertificate(der)
    if (BigInt(`0x${certificate.serialNumber}`) !== BigInt(`0x${serialNumber}`))
      return `it holds the certificate with serial number ${certificate.serialNumber}`
    if (!signatureVerifies(certificate, authority.subject, authority.spki))
      return `its certificate was signed by another CA, "${oneLine(certificate.issuer)}", or with another key`
    return certificate
  } catch (error) {
    return error instanceof Error ? error.message.replace(/\.$/, '') : 'it cannot be read'
  }
}

/** What is already there of the same serial number, and what is to be done. */
export type Merge =
  | { readonly action: 'create' | 'nothing' }
  | { readonly action: 'revoke' }
  | { readonly action: 'refuse'; readonly why: string }

/** A second import adds what is new, revokes what has been revoked meanwhile or is on hold no more but for good, and takes nothing back. */
export const merge = (taken: IssuedCertificate, present: IssuedCertificate | undefined): Merge => {
  if (present === undefined) return { action: 'create' }
  const [ours, theirs] = [present.spec.certificate.trim(), taken.spec.certificate.trim()]
  if (ours !== theirs && ours !== '' && theirs !== '')
    return { action: 'refuse', why: 'the ledger holds another certificate under this serial number' }
  return { action: saysMore(taken.spec.revocation, present.spec.revocation) ? 'revoke' : 'nothing' }
}

/** Whether `taken` adds to what is known: a hold is no end, because a person may take it back. */
export const saysMore = (
  taken: Pick<Revocation, 'reason'> | undefined,
  present: Pick<Revocation, 'reason'> | undefined,
): boolean =>
  taken !== undefined &&
  (present === undefined || (present.reason === 'certificateHold' && taken.reason !== 'certificateHold'))
