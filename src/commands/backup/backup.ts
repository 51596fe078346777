/** `dbtls backup`: CAs with their keys, ledgers and certificates in one encrypted file. */

import { keyOf } from '../../cluster/port.ts'
import { parentOf } from '../../authority/names.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { findAuthority } from '../ledger/entries.ts'
import { CommandError } from '../shared/failures.ts'
import type { Io, Main } from '../shared/io.ts'
import { listAll } from '../shared/lists.ts'
import { parseArguments, UsageError } from '../shared/options.ts'
import { passphraseFlags, passphraseUsage, readPassphrase } from '../shared/passphrase.ts'
import { writeLine, writeProblem } from '../shared/present.ts'
import {
  allNamespacesFlag,
  allNamespacesUsage,
  parseName,
  type Target,
  targetFlags,
  targetUsage,
  withTarget,
} from '../shared/target.ts'
import { collect } from './collect.ts'
import { idOfReference } from './contents.ts'
import { countsOf } from './counts.ts'
import { refuseExisting, writeBackup } from './file.ts'
import { BackupError } from './format.ts'

const usage = `usage: dbtls backup FILE --authority [NS/]NAME… | --all  [options]

Writes CertificateAuthorities with their keys, ledgers, revocation lists, certificates and Secrets into one file, encrypted
under a passphrase. dbtls restore puts all of it into an empty cluster, and nothing is signed anew.

  --authority [NS/]NAME     may be repeated
  --all                     every CertificateAuthority of the namespace, or with -A of all
  --without-certificates    leave out DatabaseCertificates and their Secrets
  --without-passphrases     leave out Secrets that hold passphrases of CAs and passwords of keystores; they have to be
                            there again before a restore
${passphraseUsage}${targetUsage}${allNamespacesUsage}  --help                    this text

FILE is made with mode 0600 and never written over. Its format is in docs/backup.md.

Examples:
  dbtls backup orders-ca.backup --authority data/orders-ca --passphrase-file ~/backup-passphrase
  dbtls backup all-2027-01-31.backup --all -A

Exit codes: 0 written and read back, 1 it could not be (reason on stderr), 2 wrong usage.
`

const flags = {
  authority: { type: 'string', multiple: true },
  all: { type: 'boolean', default: false },
  'without-certificates': { type: 'boolean', default: false },
  'without-passphrases': { type: 'boolean', default: false },
  ...passphraseFlags,
  ...targetFlags,
  ...allNamespacesFlag,
} as const

/** Somebody who has the file can try as often as he likes. */
const leastCharacters = 8

export const main: Main = async (args, io) => {
  const parsed = parseArguments('backup', usage, flags, args, io)
  if (typeof parsed === 'number') return parsed
  const { values, words } = parsed
  return withTarget('backup', values, io, async (target) => {
    const [file, ...more] = words
    if (file === undefined || more.length > 0) throw new UsageError('name one FILE to write')
    refuseExisting(file)
    const authorities = await choose(target, values.authority ?? [], values.all === true)
    const passphrase = await readPassphrase(io, {
      file: values['passphrase-file'],
      prompt: 'Passphrase of the backup',
      confirm: true,
    })
    if (Array.from(passphrase).length < leastCharacters)
      throw new CommandError(`the passphrase of a backup has at least ${leastCharacters} characters`)
    noteParents(io, authorities)
    const contents = await collected(target, authorities, {
      certificates: values['without-certificates'] !== true,
      confidential: values['without-passphrases'] !== true,
    })
    await writeBackup(file, contents, passphrase)
    for (const one of contents.leftOut) writeProblem(io, `left out   ${idOfReference(one)}`)
    writeLine(io, `wrote      ${file}: ${countsOf(contents)}`)
    return 0
  })
}

const collected: typeof collect = async (...args) => {
  try {
    return await collect(...args)
  } catch (error) {
    if (!(error instanceof BackupError)) throw error
    throw new CommandError(`this could not be restored: ${error.message}`, { cause: error })
  }
}

const choose = async (target: Target, names: readonly string[], all: boolean): Promise<CertificateAuthority[]> => {
  const { cluster, namespace, scope } = target
  if (all === names.length > 0) throw new UsageError('say which: --authority or --all')
  if (all) {
    const found = await listAll(cluster, certificateAuthorities, { namespace: scope })
    const present = found.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    if (present.length === 0) throw new CommandError('there is no CertificateAuthority')
    return present
  }
  const keys = new Map(
    names.map((name) => parseName('--authority', name, namespace)).map((key) => [`${key.namespace}/${key.name}`, key]),
  )
  return Promise.all(
    [...keys].map(async ([name, key]) => {
      const found = await findAuthority(cluster, key)
      if (found === undefined) throw new CommandError(`there is no CertificateAuthority ${name}`)
      return found
    }),
  )
}

const noteParents = (io: Io, authorities: readonly CertificateAuthority[]): void => {
  const chosen = new Set(authorities.map(keyOf))
  for (const authority of authorities) {
    const parent = parentOf(authority)
    if (parent === undefined || chosen.has(`${parent.namespace}/${parent.name}`)) continue
    const above = `CertificateAuthority ${parent.namespace}/${parent.name}`
    writeProblem(io, `note       ${above}, which signs ${keyOf(authority)}, is not in this backup`)
  }
}
