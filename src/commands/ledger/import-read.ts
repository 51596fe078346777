/** An existing folder of `openssl ca`: its files under the names that howtos give them, with bounds on all of it. */

import { join } from 'node:path'
import { maxCertificateOctets, maxIndexOctets } from '../../ledger/openssl/import.ts'
import { IndexError, type LineProblem, type NumberedLine, parseIndex } from '../../ledger/openssl/index-file.ts'
import { parseAttributes, parseNumberFile } from '../../ledger/openssl/small-files.ts'
import { largestListNumber } from '../../resources/crl-number.ts'
import { CommandError } from '../shared/failures.ts'
import { readBounded } from './folder.ts'

const certificateNames = [
  'cacert.pem',
  'ca.pem',
  'ca.crt',
  'ca-cert.pem',
  'cacert.crt',
  'certs/cacert.pem',
  'certs/ca.cert.pem',
  'certs/ca.crt',
]
const keyNames = [
  'private/cakey.pem',
  'cakey.pem',
  'private/ca.key.pem',
  'private/ca.key',
  'private/ca-key.pem',
  'ca-key.pem',
  'ca.key',
]
const chainNames = ['chain.pem', 'ca-chain.pem', 'certs/ca-chain.cert.pem', 'certs/chain.pem']

/** Memory holds all of them at once. */
const maxLines = 500_000

export interface Folder {
  readonly path: string
  readonly certificate: string
  /** Undefined where the folder has none; an authority that exists already needs none. */
  readonly privateKey: string | undefined
  readonly chain: string | undefined
  readonly lines: readonly NumberedLine[]
  readonly problems: readonly LineProblem[]
  /** Number of the last list; undefined where none was made yet, or openssl was told of no crlnumber. */
  readonly lastRevocationList: bigint | undefined
  readonly uniqueSubject: boolean | undefined
}

export interface Named {
  readonly certificate: string | undefined
  readonly key: string | undefined
  readonly chain: string | undefined
}

/** Rejects with CommandError. */
export const readFolder = async (path: string, named: Named): Promise<Folder> => {
  const index = await readBounded(join(path, 'index.txt'), maxIndexOctets)
  if (index === undefined) throw new CommandError(`${path} is no folder of openssl ca: it has no index.txt`)
  const { lines, problems } = parseIndex(index)
  if (lines.length > maxLines)
    throw new CommandError(`${join(path, 'index.txt')} has ${lines.length} lines; at most ${maxLines} are taken over`)
  const certificate = await either(path, named.certificate, certificateNames)
  if (certificate === undefined)
    throw new CommandError(
      `${path} has no ${certificateNames.join(', ')}: name the CA's certificate with --certificate`,
    )
  const attributes = await readBounded(join(path, 'index.txt.attr'), 64 * 1024)
  return {
    path,
    certificate,
    privateKey: await either(path, named.key, keyNames),
    chain: await either(path, named.chain, chainNames),
    lines,
    problems,
    lastRevocationList: await lastList(path),
    uniqueSubject: attributes === undefined ? undefined : parseAttributes(attributes).uniqueSubject,
  }
}

const either = async (
  path: string,
  asked: string | undefined,
  names: readonly string[],
): Promise<string | undefined> => {
  if (asked !== undefined) {
    const text = await readBounded(asked, maxCertificateOctets)
    if (text === undefined) throw new CommandError(`${asked} does not exist`)
    return text
  }
  for (const name of names) {
    const text = await readBounded(join(path, name), maxCertificateOctets)
    if (text !== undefined) return text
  }
  return undefined
}

/** `crlnumber` is that of the next one; 01, where openssl begins, is no list. */
const lastList = async (path: string): Promise<bigint | undefined> => {
  const text = await readBounded(join(path, 'crlnumber'), 1024)
  if (text === undefined) return undefined
  try {
    const next = parseNumberFile('crlnumber', text)
    if (next > largestListNumber)
      throw new CommandError(
        `${join(path, 'crlnumber')} is beyond the 20 octets of RFC 5280, so that no list can follow the last one, and lists with smaller numbers would not be believed: replace the CA`,
      )
    return next <= 1n ? undefined : next - 1n
  } catch (error) {
    if (error instanceof IndexError) throw new CommandError(`${path}: ${error.message}`, { cause: error })
    throw error
  }
}

/** Of `new_certs_dir`, which is newcerts or certs in most configurations. The name is made of hex digits alone. */
export const readNewCertificate = async (path: string, serialNumber: string): Promise<string | undefined> =>
  (await readBounded(join(path, 'newcerts', `${serialNumber}.pem`), maxCertificateOctets)) ??
  readBounded(join(path, 'certs', `${serialNumber}.pem`), maxCertificateOctets)
