/** `dbtls version` */

import { revision, version } from '../version.ts'
import type { Main } from './shared/io.ts'
import { writeProblem } from './shared/printable.ts'

export const main: Main = async (args, { stdout, stderr }) => {
  if (args.includes('--help') || args.includes('-h')) {
    stdout.write(
      'usage: dbtls version\n\nPrints the version of this program, and the commit it was built of.\n\nExit codes: 0 done, 2 wrong usage.\n',
    )
    return 0
  }
  if (args.length > 0) {
    writeProblem({ stderr }, `dbtls version: unexpected argument "${args[0]}"`)
    return 2
  }
  const commit = revision()
  stdout.write(commit === undefined ? `${version()}\n` : `${version()} (commit ${commit})\n`)
  return 0
}
