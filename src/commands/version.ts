/** `dbtls version` */

import { version } from '../version.ts'
import type { Main } from './shared/io.ts'

export const main: Main = async (args, { stdout, stderr }) => {
  if (args.includes('--help') || args.includes('-h')) {
    stdout.write('usage: dbtls version\n\nPrints the version of this program.\n')
    return 0
  }
  if (args.length > 0) {
    stderr.write(`dbtls version: unexpected argument "${args[0]}"\n`)
    return 2
  }
  stdout.write(`${version()}\n`)
  return 0
}
