/** The whole folder of `openssl ca`, from the ledger of one CA. Pure. */

import { formatIndex } from './index-file.ts'
import { formatAttributes, formatConfiguration, formatNumberFile, type PolicyFields } from './small-files.ts'
import { byIssuance, type Exported, exported } from './stored.ts'
import { equal, type ParsedCertificate, signatureVerifies } from '../../pki/certificates/parse.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'

export interface ExportInit {
  readonly authority: ParsedCertificate
  /** Of this CA, whatever key has signed them. */
  readonly entries: readonly IssuedCertificate[]
  /** Of the next list. */
  readonly nextRevocationListNumber: bigint
  readonly policy: PolicyFields | undefined
  readonly uniqueSubject: boolean
  readonly crlDays: number
  readonly days: number
  /** PEM; undefined: the folder gets none. */
  readonly privateKey?: string | undefined
  /** ms */
  readonly now: number
}

export interface Export {
  /** Path within the folder → contents, in the order in which they are written: what names others comes last. */
  readonly files: ReadonlyMap<string, string>
  /** Lines of `index.txt`. */
  readonly count: number
  /** Sentences about what openssl cannot be told. */
  readonly notes: readonly string[]
}

export const exportFolder = (init: ExportInit): Export => {
  const all = init.entries.map((entry) => exported(entry, init.now))
  const entries = all.filter(({ certificate }) => isSignedBy(certificate, init.authority)).toSorted(byIssuance)
  const unique = init.uniqueSubject && !hasTwins(entries)
  const files = new Map<string, string>()
  for (const { certificate, line } of entries)
    if (certificate !== undefined)
      files.set(`newcerts/${line.serialNumber}.pem`, encodePem('CERTIFICATE', certificate.der))
  files.set('cacert.pem', encodePem('CERTIFICATE', init.authority.der))
  if (init.privateKey !== undefined) files.set('private/cakey.pem', init.privateKey)
  files.set('openssl.cnf', formatConfiguration(init))
  files.set('crlnumber', formatNumberFile(init.nextRevocationListNumber))
  files.set('serial', formatNumberFile(nextSerial(all.map(({ line }) => line.serialNumber))))
  files.set('index.txt.attr', formatAttributes(unique))
  files.set('index.txt', formatIndex(entries.map(({ line }) => line)))
  return {
    files,
    count: entries.length,
    notes: [...leftOut(all.length - entries.length), ...notes(entries, init.uniqueSubject && !unique)],
  }
}

/**
 * A CA of one name may have had several keys, and openssl would put what the others revoked on the list of this one. By the
 * key identifier, as revocation lists are made; and by the signature, where the key has called itself otherwise or not at all.
 */
const isSignedBy = (certificate: ParsedCertificate | undefined, authority: ParsedCertificate): boolean => {
  // Whose file is lost, was taken over with this CA, and nothing says of which key it was.
  if (certificate === undefined) return true
  const { authorityKeyId, issuer } = certificate
  const named = authorityKeyId !== undefined && authority.subjectKeyId !== undefined
  if (named && equal(authorityKeyId, authority.subjectKeyId)) return true
  return signatureVerifies(certificate, issuer, authority.spki)
}

const leftOut = (count: number): string[] => {
  if (count === 0) return []
  const what = count === 1 ? '1 certificate' : `${count} certificates`
  return [`left out: ${what} of a former key of the CA, which openssl would take for the present one`]
}

const notes = (entries: readonly Exported[], twins: boolean): string[] => [
  ...(twins
    ? ['index.txt.attr says unique_subject = no: a renewed certificate stands beside the one it replaced']
    : []),
  ...entries.flatMap(({ line, lost }) =>
    lost === undefined ? [] : [`serial number ${line.serialNumber}: ${lost}; index.txt says only that it is revoked`],
  ),
]

/** openssl cannot even open a database with two valid lines of one subject, once it shall be unique. */
const hasTwins = (entries: readonly Exported[]): boolean => {
  const valid = entries.filter(({ line }) => line.state === 'V')
  return new Set(valid.map(({ line }) => line.subject)).size < valid.length
}

/** Random serial numbers (16 octets) do not count: openssl goes on counting where it was, or begins at 01. */
const countedOctets = 8

/** After the largest of those that were counted up, and taken by none. */
export const nextSerial = (serialNumbers: readonly string[]): bigint => {
  const taken = new Set(serialNumbers.map((text) => BigInt(`0x${text}`)))
  let next = 1n
  for (const serial of taken) if (serial < 1n << BigInt(8 * countedOctets) && serial >= next) next = serial + 1n
  while (taken.has(next)) next += 1n
  return next
}
