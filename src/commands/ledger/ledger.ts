/** `dbtls ledger`: the database of a CA, as index.txt and newcerts are to `openssl ca`. */

import { verbMain } from '../shared/verbs.ts'

const usage = `usage: dbtls ledger list | show SERIAL | export --openssl DIR | import DIR [options]

The database of a CertificateAuthority: every certificate it has signed, by serial number.

  list                      what was signed, for whom, in which state
  show SERIAL               one certificate in words, and whether it is revoked
  export --openssl DIR      the folder of "openssl ca": index.txt, serial, crlnumber, newcerts, cacert.pem
  import DIR                take such a folder over

dbtls ledger list --help lists the options, and likewise for the others.
`

export const main = verbMain({
  command: 'ledger',
  usage,
  missing: 'say what to do with it',
  verbs: new Map([
    ['list', () => import('./list.ts')],
    ['show', () => import('./show.ts')],
    ['export', () => import('./export.ts')],
    ['import', () => import('./import.ts')],
  ]),
})
