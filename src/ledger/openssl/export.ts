/** The whole folder of `openssl ca`, from the ledger of one CA. Pure. */

import { formatIndex } from './index-file.ts'
import { formatAttributes, formatConfiguration, formatNumberFile, type PolicyFields } from './small-files.ts'
import { byIssuance, type Exported, exported } from './stored.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'

export interface ExportInit {
  /** DER */
  readonly authority: Uint8Array
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
  /** Sentences about what openssl cannot be told. */
  readonly notes: readonly string[]
}

export const exportFolder = (init: ExportInit): Export => {
  const entries = init.entries.map((entry) => exported(entry, init.now)).toSorted(byIssuance)
  const unique = init.uniqueSubject && !hasTwins(entries)
  const files = new Map<string, string>()
  for (const { certificate, line } of entries)
    if (certificate !== undefined)
      files.set(`newcerts/${line.serialNumber}.pem`, encodePem('CERTIFICATE', certificate.der))
  files.set('cacert.pem', encodePem('CERTIFICATE', init.authority))
  if (init.privateKey !== undefined) files.set('private/cakey.pem', init.privateKey)
  files.set('openssl.cnf', formatConfiguration(init))
  files.set('crlnumber', formatNumberFile(init.nextRevocationListNumber))
  files.set('serial', formatNumberFile(nextSerial(entries.map(({ line }) => line.serialNumber))))
  files.set('index.txt.attr', formatAttributes(unique))
  files.set('index.txt', formatIndex(entries.map(({ line }) => line)))
  return { files, notes: notes(entries, init.uniqueSubject && !unique) }
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
