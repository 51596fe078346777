/** An entry of the ledger and a line of openssl's database, as one another. Pure. */

import { oneLine } from './one-line.ts'
import {
  formatRevocation,
  type IndexLine,
  lostInFormat,
  parseLine,
  parseRevocation,
  type Revocation,
} from './index-file.ts'
import type { EntryState } from '../entry.ts'
import { fromTimestamp, toTimestamp } from '../../control/schedule.ts'
import { type ParsedCertificate, parseCertificate } from '../../pki/certificates/parse.ts'
import { earliestRevocation } from '../../pki/revocation/plan.ts'
import { certificatesOf } from '../../pki/encoding/pem.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'

/** Annotations of entries that were taken over from a folder, so that an export gives the same file again. */
export const origins = {
  /** Number of the line in `index.txt`: openssl adds at the end, and nothing else tells the order. */
  line: 'dbtls.dev/openssl-line',
  /** The revocation field, where it says the same in other words than ours. */
  revocation: 'dbtls.dev/openssl-revocation',
} as const

/** Time alone decides between Valid and Expired, so that nobody has to wait for the mark in the status. */
export const stateOf = ({ spec, status }: IssuedCertificate, notAfter: number, now: number): EntryState => {
  if (spec.revocation !== undefined) return 'Revoked'
  if (now > notAfter) return 'Expired'
  return status?.state === 'Superseded' ? 'Superseded' : 'Valid'
}

/** Undefined for an entry that is not revoked. `now` stands for a revocation that no operator has dated yet. */
export const revocationOf = ({ spec, status }: IssuedCertificate, now: number): Revocation | undefined => {
  const { revocation } = spec
  if (revocation === undefined) return undefined
  const invalidityTime = dated(fromTimestamp(revocation.invalidityTime))
  return {
    time: dated(fromTimestamp(revocation.time)) ?? fromTimestamp(status?.revokedAt) ?? now,
    reason: revocation.reason,
    ...(invalidityTime === undefined ? {} : { invalidityTime }),
  }
}

/** As on our own lists. */
const dated = (instant: number | undefined): number | undefined =>
  instant === undefined ? undefined : Math.max(instant, earliestRevocation)

/** The other way round, for a manifest. */
export const specOf = ({ time, reason, invalidityTime }: Revocation): IssuedCertificate['spec']['revocation'] => ({
  reason,
  time: toTimestamp(time),
  ...(invalidityTime === undefined ? {} : { invalidityTime: toTimestamp(invalidityTime) }),
})

export interface Exported {
  readonly line: IndexLine
  /** Undefined for an entry whose certificate was not in the folder it came from. */
  readonly certificate: ParsedCertificate | undefined
  /** What openssl's database has no word for. */
  readonly lost: string | undefined
  readonly order: readonly [line: number, notBefore: number]
}

/** Throws CertificateError or PemError where the entry holds something else than a certificate. */
export const exported = (entry: IssuedCertificate, now: number): Exported => {
  const { spec, metadata } = entry
  const certificate = certificateOf(entry)
  const origin = spec.indexLine === undefined ? undefined : parseLine(spec.indexLine)
  const notAfter = certificate?.notAfter ?? origin?.notAfter ?? 0
  const state = stateOf(entry, notAfter, now)
  const revocation = revocationOf(entry, now)
  const line: IndexLine = {
    state: state === 'Revoked' ? 'R' : state === 'Expired' ? 'E' : 'V',
    notAfter,
    revocation: revocation === undefined ? '' : revocationField(revocation, metadata.annotations?.[origins.revocation]),
    serialNumber: spec.serialNumber,
    file: 'unknown',
    // As openssl names a certificate without a subject: it compares this field before it revokes.
    subject: (certificate === undefined ? origin?.subject : oneLine(certificate.subject)) || spec.serialNumber,
  }
  const order = Number(metadata.annotations?.[origins.line] ?? Number.POSITIVE_INFINITY)
  return {
    line,
    certificate,
    lost: revocation === undefined ? undefined : lostInFormat(revocation),
    order: [Number.isNaN(order) ? Number.POSITIVE_INFINITY : order, certificate?.notBefore ?? 0],
  }
}

export const certificateOf = ({ spec }: IssuedCertificate): ParsedCertificate | undefined => {
  const [der] = certificatesOf(spec.certificate)
  return der === undefined ? undefined : parseCertificate(der)
}

/** The words it came with, while they still say what the entry says. */
const revocationField = (revocation: Revocation, original: string | undefined): string => {
  const ours = formatRevocation(revocation)
  if (original === undefined) return ours
  try {
    const meant = parseRevocation(original)
    const same =
      meant.time === revocation.time &&
      meant.reason === revocation.reason &&
      meant.invalidityTime === revocation.invalidityTime
    return same ? original : ours
  } catch {
    return ours
  }
}

/** As openssl adds them: in the order they were taken over, then as they were signed. */
export const byIssuance = (a: Exported, b: Exported): number =>
  compare(a.order[0], b.order[0]) ||
  compare(a.order[1], b.order[1]) ||
  compare(a.line.serialNumber, b.line.serialNumber)

const compare = (a: number | string, b: number | string): number => (a < b ? -1 : Number(a > b))
