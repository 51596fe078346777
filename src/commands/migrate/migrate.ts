/** `dbtls migrate`: from another issuer of certificates to dbtls. */

import type { Io, Main } from '../shared/io.ts'
import { writeProblem } from '../shared/printable.ts'

const usage = `usage: dbtls migrate cert-manager [options]

Writes the manifests that take the place of those of another issuer, and says how its Secrets are taken over.

  cert-manager              Issuers, ClusterIssuers and Certificates of cert-manager.io/v1

dbtls migrate cert-manager --help lists the options.

Exit codes: 0 everything has an equivalent, 1 something has none (each reason on stderr), 2 wrong usage.
`

const verbs: ReadonlyMap<string, () => Promise<{ readonly main: Main }>> = new Map([
  ['cert-manager', () => import('./cert-manager.ts')],
])

export const main: Main = async ([verb, ...args]: readonly string[], io: Io) => {
  if (verb === '--help' || verb === '-h') {
    io.stdout.write(usage)
    return 0
  }
  const load = verbs.get(verb ?? '')
  if (load !== undefined) return (await load()).main(args, io)
  const what = verb === undefined ? 'say from what' : `"${verb}" is none of`
  writeProblem(io, `dbtls migrate: ${what}: ${[...verbs.keys()].join(', ')}`)
  return 2
}
