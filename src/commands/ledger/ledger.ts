/** `dbtls ledger`: the database of a CA, as index.txt and newcerts are to `openssl ca`. */

import type { Io, Main } from '../shared/io.ts'
import { writeProblem } from '../shared/printable.ts'

const usage = `usage: dbtls ledger list | show SERIAL | export --openssl DIR | import DIR [options]

The database of a CertificateAuthority: every certificate it has signed, by serial number.

  list                      what was signed, for whom, in which state
  show SERIAL               one certificate in words, and whether it is revoked
  export --openssl DIR      the folder of "openssl ca": index.txt, serial, crlnumber, newcerts, cacert.pem
  import DIR                take such a folder over

dbtls ledger list --help lists the options, and likewise for the others.
`

const verbs: ReadonlyMap<string, () => Promise<{ readonly main: Main }>> = new Map([
  ['list', () => import('./list.ts')],
  ['show', () => import('./show.ts')],
  ['export', () => import('./export.ts')],
  ['import', () => import('./import.ts')],
])

export const main: Main = async ([verb, ...args]: readonly string[], io: Io) => {
  if (verb === '--help' || verb === '-h') {
    io.stdout.write(usage)
    return 0
  }
  const load = verbs.get(verb ?? '')
  if (load !== undefined) return (await load()).main(args, io)
  const what = verb === undefined ? 'say what to do with it' : `"${verb}" is none of`
  writeProblem(io, `dbtls ledger: ${what}: ${[...verbs.keys()].join(', ')}`)
  return 2
}
