/** `dbtls restore`: what `dbtls backup` wrote, into a cluster that has none of it. */

import type { Io, Main } from '../shared/io.ts'
import { CommandError } from '../shared/failures.ts'
import { parseArguments, UsageError } from '../shared/options.ts'
import { passphraseFlags, passphraseUsage, readPassphrase } from '../shared/passphrase.ts'
import { writeLine, writeProblem } from '../shared/present.ts'
import { type Target, targetFlags, targetUsage, withTarget } from '../shared/target.ts'
import type { BackupContents } from './contents.ts'
import { countsOf } from './counts.ts'
import { readBackup } from './file.ts'
import { put } from './put.ts'
import { survey } from './survey.ts'

const usage = `usage: dbtls restore FILE [options]

Puts what dbtls backup wrote into a cluster that has none of it: nothing is signed anew, revocation lists go on with larger
numbers. Everything is checked before the first write, and all that is in the way is named. The CertificateAuthorities are
held until the last piece is there. A restore that was interrupted goes on when it is given again.

  --dry-run                 only say what would be restored, and what is in the way
  --create-namespaces       make namespaces that do not exist, without labels
${passphraseUsage}${targetUsage}  --help                    this text

Objects come back into the namespaces they were in; --namespace is not taken.

Examples:
  dbtls restore all-2027-01-31.backup --dry-run
  dbtls restore orders-ca.backup --create-namespaces --passphrase-file ~/backup-passphrase

Exit codes: 0 restored, or there already; 1 something is in the way (each reason on stderr) or fails, 2 wrong usage.
`

const flags = {
  'dry-run': { type: 'boolean', default: false },
  'create-namespaces': { type: 'boolean', default: false },
  ...passphraseFlags,
  ...targetFlags,
} as const

export interface RestoreOptions {
  readonly dryRun: boolean
  readonly createNamespaces: boolean
}

export const main: Main = async (args, io) => {
  const parsed = parseArguments('restore', usage, flags, args, io)
  if (typeof parsed === 'number') return parsed
  const { values, words } = parsed
  const options = { dryRun: values['dry-run'] === true, createNamespaces: values['create-namespaces'] === true }
  const work = async (target: Target): Promise<number> => {
    const [file, ...more] = words
    if (file === undefined || more.length > 0) throw new UsageError('name one FILE to read')
    if (values.namespace !== undefined)
      throw new UsageError('objects come back into the namespaces they were in: leave out --namespace')
    const prompt = 'Passphrase of the backup'
    const contents = await readBackup(file, await readPassphrase(io, { file: values['passphrase-file'], prompt }))
    return restoreInto(target, io, contents, options)
  }
  return withTarget('restore', values, io, work, { create: !options.dryRun })
}

/** Answers the exit code. */
export const restoreInto = async (
  target: Target,
  io: Pick<Io, 'stdout' | 'stderr'>,
  contents: BackupContents,
  { dryRun, createNamespaces }: RestoreOptions,
): Promise<number> => {
  const found = await survey(target, contents)
  const { missingNamespaces, notes, wanted } = found
  for (const note of notes) writeProblem(io, `note       ${note}`)
  if (wanted.authorities.length === 0) {
    writeLine(io, `unchanged  everything was restored from this backup before`)
    return 0
  }
  const problems = [
    ...found.problems,
    ...(createNamespaces ? [] : missingNamespaces.map((name) => `Namespace ${name} does not exist`)),
  ]
  for (const problem of problems.toSorted()) writeProblem(io, `in the way ${problem}`)
  if (problems.length > 0) throw new CommandError(`nothing was written${adviceFor(found.problems, problems)}`)
  if (!dryRun)
    await put(target, contents, found, (done, all) => {
      if (done % 2000 === 0) writeProblem(io, `writing    ${done} of ${all} ledger entries`)
    })
  if (createNamespaces)
    for (const name of missingNamespaces) writeLine(io, `${dryRun ? 'would make' : 'made      '} Namespace ${name}`)
  writeLine(io, `${dryRun ? 'would write' : 'restored  '} ${countsOf({ ...contents, ...wanted })}`)
  return 0
}

const adviceFor = (found: readonly string[], all: readonly string[]): string => {
  const count = `: ${all.length === 1 ? 'this is' : `these ${all.length} are`} in the way`
  return found.length === 0 ? `${count}; create the namespaces, or give --create-namespaces` : count
}
