/** What a profile says of servers and workloads that have not taken up what was delivered. Pure. */

import { type Finding, stall, wait } from '../../control/decision.ts'
import { toTimestamp } from '../../control/schedule.ts'
import type { Reload, ReloadWay } from '../../database/engines/engine.ts'
import type { DatabaseTLSProfileStatus } from '../../resources/database-tls-profile-status.ts'
import type { Instant } from '../../runtime/clock.ts'
import type { Verdict } from '../collaborators.ts'
import { arrivalOf, attemptOf, isCurrent, isStale, type ServerState, showsFormer } from './decide.ts'
import type { PlannedServer, ReloadPlan } from './plan.ts'

export type ReloadStatus = NonNullable<DatabaseTLSProfileStatus['reload']>
export type Pending = NonNullable<ReloadStatus['pending']>[number]

export interface Told extends Pending {
  /** Refused: a person has to do something. Late: it should have been done by now. */
  readonly weight: 'Refused' | 'Late' | 'Under way'
}

/** Reasons that a person has to see to. */
const refused = new Set([
  'LoginRefused',
  'PrivilegeMissing',
  'CertificateRefused',
  'AccountMissing',
  'AccountNotOffered',
  'Forbidden',
  'Missing',
])

const rights: Readonly<Record<string, string>> = {
  MySQL: 'grant it CONNECTION_ADMIN',
  TiDB: 'grant it CONNECTION_ADMIN',
  MariaDB: 'grant it RELOAD',
  PostgreSQL: 'GRANT EXECUTE ON FUNCTION pg_reload_conf() to it',
  Redis: 'allow it +config|set in its ACL',
  Valkey: 'allow it +config|set in its ACL',
  MongoDB: 'grant it the role hostManager',
}

const cureOf = (reason: string, engine: string): string => {
  const cures: Readonly<Record<string, string>> = {
    Unreachable: 'See that it runs, and that the operator may connect to it (NetworkPolicy; spec.reload.endpoints)',
    ServerNotVerified: 'Have it read its files by hand once, or see which certificate it was given',
    CertificateRefused:
      'Name a client of the profile in spec.reload.client, or put tls.crt and tls.key into the Secret of spec.reload.credentialsSecretRef',
    LoginRefused:
      'Correct username and password in the Secret of spec.reload.credentialsSecretRef, or the account in the database',
    PrivilegeMissing: `In the database, ${rights[engine] ?? 'grant it what the statement needs'}`,
    StatementFailed: 'Compare its files with the Secret, and see its log',
    TLSOff: 'Switch TLS on in its configuration',
  }
  const cure = cures[reason]
  return cure === undefined ? '' : ` ${cure}.`
}

const secretsOf = ({ delivered }: PlannedServer): string =>
  [...new Set(delivered.map(({ secretName }) => secretName))].join(' or ')

/** When what it lacks was delivered. */
export const sinceOf = (server: PlannedServer, state: ServerState): Instant | undefined => {
  if (!isStale(state) && state.chainSince !== undefined) return state.chainSince
  if (!isStale(state) && state.trustSince !== undefined) return state.trustSince
  const known = server.delivered.flatMap(({ since }) => since ?? [])
  return known.length === 0 ? undefined : Math.max(...known)
}

/** undefined: it has taken everything up. */
export const serverWords = (
  plan: Pick<ReloadPlan, 'engine' | 'reload'>,
  server: PlannedServer,
  state: ServerState,
  now: Instant,
): Told | undefined => {
  if (isCurrent(state)) return undefined
  const since = sinceOf(server, state)
  const attempt = attemptOf(state)
  // Not known to the ledger: judged by how often it was tried.
  const isLate = since === undefined ? (attempt?.count ?? 0) > 5 : now >= since + arrivalOf(state)
  const told = (reason: string, message: string): Told => ({
    ...{ name: server.address, reason },
    ...(since === undefined ? {} : { since: toTimestamp(since) }),
    message: message.slice(0, 2000),
    weight: refused.has(reason) ? 'Refused' : isLate ? 'Late' : 'Under way',
  })
  if (attempt?.lost === true)
    return {
      ...told('Lost', 'It does not answer since it was told to read its files. No other server is told until it does.'),
      weight: 'Late',
    }
  const { failure } = attempt ?? {}
  if (failure !== undefined)
    return told(failure.reason, `${sentence(failure.message)}${cureOf(failure.reason, plan.engine)}`)
  const chain = state.chainSince === undefined || isStale(state) ? '' : ' with the chain of a former CA'
  const shows = showsFormer(state) ? `It shows ${state.served}${chain}` : 'Its CAs have changed'
  if (attempt?.toldAt === undefined) return told('Waiting', `${shows}, and is told to read its files again.`)
  if (!isLate)
    return told(
      'Waiting',
      `${shows}. It was told to read its files, which may not have come to its pod yet; it is told again.`,
    )
  if (showsFormer(state)) return told('KeptOld', keptWords(plan.reload, server, shows))
  return state.lacksNext === true
    ? told('KeptOld', keptWords(plan.reload, server, 'It refuses clients of the next CA'))
    : undefined
}

const keptWords = ({ onMismatch }: Reload, server: PlannedServer, shows: string): string =>
  `${shows}, though it took the statement: it keeps what it had. See that its pod mounts Secret ${secretsOf(server)}${
    onMismatch === 'KeepsOldSilently'
      ? ', that it may read the key (mode 0640 and owner root, or 0600), and its log, which alone says why'
      : ' where its configuration says, and its log'
  }.`

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`

const byHand = (way: ReloadWay, { statements }: Reload): string => {
  const ways: Readonly<Record<ReloadWay, string>> = {
    Statement: `Run on each server: ${statements.join('; ')}`,
    Signal: 'Send SIGHUP to each server',
    Command: 'Run the command of commands.md, in the ConfigMap of this profile, for each server',
    Automatic: 'It reads them by itself within minutes',
    Restart: 'Restart the servers one after the other',
  }
  return ways[way]
}

/** Strategy None: what is left to people; one sentence for each. */
export const byHandWords = (
  { engine, reload }: ReloadPlan,
  stale: readonly PlannedServer[],
  trustChanged: boolean,
): readonly string[] => [
  ...(stale.length > 0
    ? [
        `${stale
          .map(({ address }) => address)
          .slice(0, 5)
          .join(
            ', ',
          )} ${stale.length === 1 ? 'shows' : 'show'} a former certificate. ${engine}: ${byHand(reload.leaf, reload)}.`,
      ]
    : []),
  ...(trustChanged && reload.authority !== 'Automatic'
    ? [
        `The CAs that the servers are to trust have changed. ${engine}: ${byHand(reload.authority, reload)}, if that was not done since.`,
      ]
    : []),
]

const mostPending = 64

/** `recorded`: which CAs all have loaded. */
export const verdictOf = (
  told: readonly Told[],
  recorded: Pick<ReloadStatus, 'trustBundleHash' | 'authorities'>,
  more: readonly string[] = [],
): Verdict => {
  const of = (weight: Told['weight']): readonly Told[] => told.filter((one) => one.weight === weight)
  const texts = (some: readonly Told[]): string =>
    [
      ...some
        .slice(0, 3)
        .map(({ name, since, message }) => `${name}${since === undefined ? '' : ` (since ${since})`}: ${message}`),
      ...(some.length > 3 ? [`And ${some.length - 3} more, in status.reload.pending.`] : []),
    ].join(' ')
  const [stopped, late, underWay] = [of('Refused'), of('Late'), of('Under way')]
  const findings: Finding[] = [
    ...(stopped.length > 0 ? [stall('ReloadRefused', texts(stopped))] : []),
    ...(late.length > 0 ? [wait('ReloadFailed', texts(late))] : []),
  ]
  const notes = [...(underWay.length > 0 && findings.length === 0 ? [texts(underWay)] : []), ...more]
  const message = [...findings.map((finding) => finding.message), ...notes].join(' ')
  const pending = told.slice(0, mostPending).map(({ weight: _weight, ...one }) => one)
  const reload: ReloadStatus = {
    ...recorded,
    ...(message === '' ? {} : { message: message.slice(0, 4000) }),
    ...(pending.length === 0 ? {} : { pending }),
  }
  return { facts: { reload: Object.keys(reload).length === 0 ? undefined : reload }, findings, notes }
}
