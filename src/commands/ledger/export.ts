/** `dbtls ledger export`: the folder of `openssl ca` from the ledger of a CertificateAuthority. */

import { join, resolve } from 'node:path'
import { exportFolder, type Export } from '../../ledger/openssl/export.ts'
import { maxIndexOctets, saysMore } from '../../ledger/openssl/import.ts'
import { parseIndex, parseRevocation } from '../../ledger/openssl/index-file.ts'
import { parseNumberFile } from '../../ledger/openssl/small-files.ts'
import type { ParsedCertificate } from '../../pki/certificates/parse.ts'
import { parseRevocationList } from '../../pki/revocation/revocation-list.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import { listNumberOf } from '../../resources/crl-number.ts'
import { parseDuration } from '../../resources/duration.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'
import { readRevocationList } from '../../revocation/stored.ts'
import { type Key, named, readAuthority, readLedger } from './entries.ts'
import { makeFolder, namesIn, readBounded, writePrivate } from './folder.ts'
import { exportedKey } from './key.ts'
import { readStored, sameKey } from './stored.ts'
import { CommandError } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { UsageError } from '../shared/options.ts'
import { passphraseFlags } from '../shared/passphrase.ts'
import { writeLine, writeProblem } from '../shared/present.ts'
import { parseName, type Target, targetFlags, targetUsage, targetVerb } from '../shared/target.ts'

const usage = `usage: dbtls ledger export --openssl DIR --authority [NS/]NAME [options]

Writes the database of a CertificateAuthority as the folder that "openssl ca" works on: index.txt, index.txt.attr,
serial, crlnumber, newcerts/SERIAL.pem, cacert.pem, and an openssl.cnf to go on with. What a former key of it has signed
is left out.

  --openssl DIR             where to; new, empty, or an export of the same authority
  --authority [NS/]NAME     the CertificateAuthority
  --with-key                write private/cakey.pem, too: under the passphrase of the authority, or under the one given
                            here where the authority has none
  --passphrase-file FILE    of --with-key; asked for on a terminal when it is needed and not given
  --plain-key               of --with-key: write the private key without any passphrase
${targetUsage}  --help                    this text

Examples:
  dbtls ledger export --openssl corp-ca --authority data/corp-ca --with-key
  cd corp-ca && openssl ca -config openssl.cnf -gencrl -out crl.pem

What openssl signs or revokes there is taken back with dbtls ledger import.
Exit codes: 0 done, 1 it could not be (reason on stderr), 2 wrong usage.
`

const flags = {
  openssl: { type: 'string' },
  authority: { type: 'string' },
  'with-key': { type: 'boolean', default: false },
  'plain-key': { type: 'boolean', default: false },
  ...passphraseFlags,
  ...targetFlags,
} as const

export const main = targetVerb('ledger export', usage, flags, async (target, values, words, io) => {
  const { openssl: folder, 'with-key': withKey, 'plain-key': plain, 'passphrase-file': file } = values
  if (folder === undefined || words.length > 0) throw new UsageError('say where to: --openssl DIR')
  if (withKey !== true && (plain === true || file !== undefined))
    throw new UsageError('--plain-key and --passphrase-file go with --with-key')
  if (plain === true && file !== undefined) throw new UsageError('--plain-key and --passphrase-file exclude each other')
  const key = parseName('--authority', values.authority, target.namespace)
  const authority = await readAuthority(target, key)
  const stored = await readStored(target, authority, key)
  const entries = await readLedger(target, { authority: key })
  const made = exportFolder({
    ...termsOf(authority),
    authority: stored.certificate,
    entries,
    nextRevocationListNumber: await nextRevocationListNumber(target, authority),
    privateKey:
      withKey === true ? await exportedKey(io, stored.privateKey, { file, plain: plain === true }) : undefined,
    now: target.clock.now(),
  })
  await write(io, resolve(folder), made, { certificate: stored.certificate, entries, key, now: target.clock.now() })
  for (const note of made.notes) writeProblem(io, `note       ${note}`)
  const count = `${made.count} certificate${made.count === 1 ? '' : 's'}`
  writeLine(
    io,
    `exported   ${named(key)} with ${count} to ${folder}${withKey === true ? ', private key included' : ''}`,
  )
  return 0
})

const day = 86_400_000

const termsOf = ({ spec }: CertificateAuthority) => ({
  policy: spec.policy?.subject,
  uniqueSubject: spec.policy?.uniqueCommonName === true,
  crlDays: Math.max(1, Math.floor(parseDuration(spec.crl?.duration ?? '31d') / day)),
  days: 90,
})

/** One more than that of the last list, which its ConfigMap knows better than a status that came back from a backup. */
const nextRevocationListNumber = async ({ cluster }: Target, authority: CertificateAuthority): Promise<bigint> => {
  const list = await readRevocationList(cluster, authority, new AbortController().signal)
  const listed = (list === undefined ? undefined : parseRevocationList(list).number) ?? 0n
  const reported = listNumberOf(authority.status?.crl) ?? 0n
  return (listed > reported ? listed : reported) + 1n
}

interface Expected {
  readonly certificate: ParsedCertificate
  readonly entries: readonly IssuedCertificate[]
  readonly key: Key
  readonly now: number
}

const write = async (io: Io, folder: string, { files }: Export, expected: Expected): Promise<void> => {
  await refuseOthers(folder, files, expected)
  await makeFolder(folder)
  await makeFolder(join(folder, 'newcerts'))
  if (files.has('private/cakey.pem')) await makeFolder(join(folder, 'private'))
  for (const [name, text] of files) await writePrivate(folder, name, text)
  if (files.size > 5000) writeLine(io, `wrote      ${files.size} files`)
}

/** Only what this very authority has exported is overwritten, and only while nothing was added to it. */
const refuseOthers = async (
  folder: string,
  files: Export['files'],
  { certificate, entries, key, now }: Expected,
): Promise<void> => {
  const names = await namesIn(folder)
  if (names === undefined || names.length === 0) return
  const refuse = (why: string): CommandError => new CommandError(`${folder} ${why}`)
  const there = await readBounded(join(folder, 'cacert.pem'), 1024 * 1024)
  const index = await readBounded(join(folder, 'index.txt'), maxIndexOctets)
  if (there === undefined || index === undefined)
    throw refuse('is not empty, and no export of dbtls: name another folder')
  if (!sameKey(there, certificate)) throw refuse('is the folder of another CA: name another one')
  const importFirst = `so take it over first: dbtls ledger import ${folder} --authority ${key.namespace}/${key.name}`
  const { lines, problems } = parseIndex(index)
  if (problems.length > 0)
    throw refuse(`has an index.txt with lines that cannot be read, the first is ${problems[0]?.number}`)
  const known = new Map(entries.map((entry) => [entry.spec.serialNumber, entry]))
  for (const { line } of lines) {
    const entry = known.get(line.serialNumber)
    // What has ended may have been pruned from the ledger.
    if (entry === undefined && line.notAfter < now) continue
    if (entry === undefined)
      throw refuse(`has serial number ${line.serialNumber}, which is not in the ledger, ${importFirst}`)
    const revocation = line.state === 'R' ? parseRevocation(line.revocation) : undefined
    if (saysMore(revocation, entry.spec.revocation))
      throw refuse(`says that serial number ${line.serialNumber} is revoked, and the ledger does not, ${importFirst}`)
  }
  const theirs = await readBounded(join(folder, 'crlnumber'), 1024)
  const ours = files.get('crlnumber') ?? ''
  if (theirs !== undefined && parseNumberFile('crlnumber', theirs) > parseNumberFile('crlnumber', ours))
    throw refuse(`has made revocation lists that dbtls does not know, ${importFirst}`)
}
