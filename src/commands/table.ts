/** The verbs: a new one is a file in the folder of its group and a line here. */

import type { Main } from './shared/io.ts'

interface Command {
  readonly summary: string
  readonly load: () => Promise<{ readonly main: Main }>
}

export const commands: ReadonlyMap<string, Command> = new Map([
  ['operator', { summary: 'run the controllers against a Kubernetes cluster', load: () => import('./operator.ts') }],
  [
    'run',
    {
      summary: 'run the same controllers without a cluster, on a folder of manifests',
      load: () => import('./embedded/run.ts'),
    },
  ],
  [
    'render',
    { summary: 'make everything in a set of manifests once, and end', load: () => import('./embedded/render.ts') },
  ],
  ['status', { summary: 'what is due, held and failing', load: () => import('./objects/status.ts') }],
  ['renew', { summary: 'have certificates issued anew, now', load: () => import('./objects/renew.ts') }],
  [
    'rotate',
    { summary: 'replace a CA in stages; hold, release or abort that', load: () => import('./objects/rotate.ts') },
  ],
  ['revoke', { summary: 'revoke certificates by their serial numbers', load: () => import('./objects/revoke.ts') }],
  ['sign', { summary: 'sign a certificate request under the rules of a CA', load: () => import('./sign/sign.ts') }],
  ['ledger', { summary: "list, show, export and import a CA's database", load: () => import('./ledger/ledger.ts') }],
  [
    'backup',
    {
      summary: 'CAs with keys, ledgers and certificates in one encrypted file',
      load: () => import('./backup/backup.ts'),
    },
  ],
  ['restore', { summary: 'a backup, into a cluster that has none of it', load: () => import('./backup/restore.ts') }],
  [
    'migrate',
    { summary: 'from cert-manager: its Issuers, Certificates and Secrets', load: () => import('./migrate/migrate.ts') },
  ],
  ['inspect', { summary: 'what a Secret or a file holds, in words', load: () => import('./inspect/inspect.ts') }],
  ['verify', { summary: 'chain, key, names and keystores of a Secret', load: () => import('./verify/verify.ts') }],
  [
    'completion',
    { summary: 'complete the command line in bash, zsh or fish', load: () => import('./completion/completion.ts') },
  ],
  ['version', { summary: 'print the version', load: () => import('./version.ts') }],
])
