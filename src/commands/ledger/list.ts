/** `dbtls ledger list`: index.txt for people, and as JSON for programs. */

import type { EntryState } from '../../ledger/entry.ts'
import { describeEntry, type EntryFacts, readAuthority, readLedger } from './entries.ts'
import type { Io, Main } from '../shared/io.ts'
import { parseOptions, UsageError } from '../shared/options.ts'
import { outputFlags, outputForm, outputUsage, writeValue, writeLine, writeTable } from '../shared/present.ts'
import { serialOf } from '../objects/revoke.ts'
import {
  allNamespacesFlag,
  allNamespacesUsage,
  parseName,
  targetFlags,
  targetUsage,
  withTarget,
} from '../shared/target.ts'

const usage = `usage: dbtls ledger list [options]

Every certificate in the ledger, in the order in which they were signed.

  --authority [NS/]NAME     of this CertificateAuthority only
  --status STATE            Valid, Superseded, Revoked or Expired; several with commas
  --common-name TEXT        of this common name; * stands for anything
  --serial SERIAL           with this serial number
${targetUsage}${allNamespacesUsage}${outputUsage}  --help                    this text

Examples:
  dbtls ledger list --authority data/orders-ca
  dbtls ledger list -A --status Revoked
  dbtls ledger list --state .dbtls/state -n data --common-name 'orders*' --output json

Exit codes: 0 done (also where nothing is found), 1 it could not be (reason on stderr), 2 wrong usage.
`

const flags = {
  authority: { type: 'string' },
  status: { type: 'string' },
  'common-name': { type: 'string' },
  serial: { type: 'string' },
  ...targetFlags,
  ...allNamespacesFlag,
  ...outputFlags,
} as const

export const main: Main = async (args, io) => {
  const options = parseOptions('ledger list', usage, flags, args, io)
  if (typeof options === 'number') return options
  return withTarget('ledger list', options, io, async (target) => {
    const form = outputForm(options.output)
    const states = statesOf(options.status)
    const named = patternOf(options['common-name'])
    const serialNumber = options.serial === undefined ? undefined : serialOf(options.serial)
    const authority =
      options.authority === undefined ? undefined : parseName('--authority', options.authority, target.namespace)
    if (authority !== undefined && options['all-namespaces'] === true)
      throw new UsageError('--authority names its namespace; leave out --all-namespaces')
    const entries = await readLedger(target, { authority, serialNumber })
    // A name that is spelled wrong must not look like an empty ledger.
    if (entries.length === 0 && authority !== undefined) await readAuthority(target, authority)
    const now = target.clock.now()
    const found = entries
      .map((entry) => describeEntry(entry, now).facts)
      .filter((facts) => states?.has(facts.state) !== false && named(facts))
      .toSorted(byIssuance)
    if (form !== 'table') writeValue(io, form, { items: found })
    else show(io, found, { namespaces: target.scope === undefined, authorities: authority === undefined })
    return 0
  })
}

const allStates: readonly EntryState[] = ['Valid', 'Superseded', 'Revoked', 'Expired']

/** Undefined: all. */
const statesOf = (text: string | undefined): ReadonlySet<EntryState> | undefined =>
  text === undefined
    ? undefined
    : new Set(
        text.split(',').map((word) => {
          const state = allStates.find((one) => one.toLowerCase() === word.trim().toLowerCase())
          if (state === undefined) throw new UsageError(`--status is one of ${allStates.join(', ')}, not "${word}"`)
          return state
        }),
      )

const patternOf = (text: string | undefined): ((facts: EntryFacts) => boolean) => {
  if (text === undefined) return () => true
  const parts = text.split(/\*+/).map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  const pattern = new RegExp(`^${parts.join('.*')}$`, 'is')
  return ({ commonName }) => commonName !== undefined && pattern.test(commonName)
}

const byIssuance = (a: EntryFacts, b: EntryFacts): number =>
  compare(a.namespace, b.namespace) ||
  compare(a.authority, b.authority) ||
  compare(a.notBefore ?? '', b.notBefore ?? '') ||
  compare(a.serialNumber, b.serialNumber)

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

const show = (
  io: Io,
  found: readonly EntryFacts[],
  columns: { readonly namespaces: boolean; readonly authorities: boolean },
): void => {
  if (found.length === 0) return writeLine(io, 'nothing found')
  const headings = [
    ...(columns.namespaces ? ['NAMESPACE'] : []),
    ...(columns.authorities ? ['AUTHORITY'] : []),
    ...['SERIAL', 'STATE', 'NOT AFTER', 'ISSUED FOR', 'SUBJECT'],
  ]
  const rows = found.map((facts) => [
    ...(columns.namespaces ? [facts.namespace] : []),
    ...(columns.authorities ? [facts.authority] : []),
    facts.serialNumber,
    facts.revocation === undefined ? facts.state : `Revoked (${facts.revocation.reason})`,
    facts.notAfter ?? '',
    facts.issuedFor === undefined ? '' : `${facts.issuedFor.namespace}/${facts.issuedFor.name}`,
    facts.subject ?? '',
  ])
  writeTable(io, headings, rows)
  const counts = allStates.flatMap((state) => {
    const count = found.filter((facts) => facts.state === state).length
    return count === 0 ? [] : [`${count} ${state.toLowerCase()}`]
  })
  writeLine(io, `${found.length} certificate${found.length === 1 ? '' : 's'}: ${counts.join(', ')}`)
}
