/** `dbtls migrate`: from another issuer of certificates to dbtls. */

import { verbMain } from '../shared/verbs.ts'

const usage = `usage: dbtls migrate cert-manager [options]

Writes the manifests that take the place of those of another issuer, and says how its Secrets are taken over.

  cert-manager              Issuers, ClusterIssuers and Certificates of cert-manager.io/v1

dbtls migrate cert-manager --help lists the options.

Exit codes: 0 everything has an equivalent, 1 something has none (each reason on stderr), 2 wrong usage.
`

export const main = verbMain({
  command: 'migrate',
  usage,
  missing: 'say from what',
  verbs: new Map([['cert-manager', () => import('./cert-manager.ts')]]),
})
