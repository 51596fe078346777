/** Commands that have verbs of their own, each in a file of its own that is loaded when somebody asks for it. */

import type { Io, Main } from './io.ts'
import { writeProblem } from './printable.ts'

export interface Verbs {
  /** As typed behind `dbtls`. */
  readonly command: string
  readonly usage: string
  /** What is asked of whom names no verb; the verbs there are follow it. */
  readonly missing: string
  readonly verbs: ReadonlyMap<string, () => Promise<{ readonly main: Main }>>
}

export const verbMain =
  ({ command, usage, missing, verbs }: Verbs): Main =>
  async ([verb, ...args]: readonly string[], io: Io) => {
    if (verb === '--help' || verb === '-h') {
      io.stdout.write(usage)
      return 0
    }
    const load = verbs.get(verb ?? '')
    if (load !== undefined) return (await load()).main(args, io)
    const what = verb === undefined ? missing : `"${verb}" is none of`
    writeProblem(io, `dbtls ${command}: ${what}: ${[...verbs.keys()].join(', ')}`)
    return 2
  }
