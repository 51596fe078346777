/** `dbtls status`: what is due, held and failing. */

import { isNotFound } from '../../cluster/errors.ts'
import { kinds } from '../../resources/kinds.ts'
import type { CustomKind } from '../../resources/kind.ts'
import { issuedCertificateKind } from '../../resources/issued-certificate.ts'
import { listNumberOf } from '../../resources/crl-number.ts'
import type { Seen } from '../../control/rotation.ts'
import { fromTimestamp } from '../../control/schedule.ts'
import type { Instant } from '../../runtime/clock.ts'
import { CommandError } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { allInOrder, listAll } from '../shared/lists.ts'
import { UsageError } from '../shared/options.ts'
import {
  outputFlags,
  outputForm,
  outputUsage,
  writeValue,
  writeLine,
  writeProblem,
  writeTable,
} from '../shared/present.ts'
import { rotationLines } from './rotation-words.ts'
import { byUrgency, type ObjectState, stateOf, type WithStatus } from './status-of.ts'
import {
  allNamespacesFlag,
  allNamespacesUsage,
  parseName,
  targetFlags,
  targetUsage,
  targetVerb,
} from '../shared/target.ts'
import type { Warning } from '../shared/readiness.ts'
import type { Target } from '../shared/target.ts'
import { relative, timeInWords } from '../../control/times.ts'

const usage = `usage: dbtls status [KIND | KIND/NAME] [options]

What is due, held and failing, with the sentence that says why and the time of what comes next.
KIND is certificateauthority (dbca), databasecertificate (dbcert) or databasetlsprofile (dbtls).

${targetUsage}${allNamespacesUsage}${outputUsage}  --help                    this text

Examples:
  dbtls status -A
  dbtls status dbcert/orders-server -n data
  dbtls status --state .dbtls/state -n data --output json

Exit codes: 0 all is Ready, 1 something is not (each with its reason on stderr), 2 wrong usage.
`

const flags = { ...targetFlags, ...allNamespacesFlag, ...outputFlags } as const

/** The kinds that can be Ready. */
const shown: readonly CustomKind[] = kinds.filter((kind) => kind !== issuedCertificateKind)

export const main = targetVerb('status', usage, flags, async (target, values, words, io) => {
  if (words.length > 1) throw new UsageError(`one KIND/NAME at a time, not "${words.join(' ')}"`)
  const form = outputForm(values.output)
  const found = await find(target, words[0])
  const now = target.clock.now()
  const states = found.map((object) => stateOf(object, now)).toSorted(byUrgency)
  const ready = states.every(({ state }) => state === 'Ready')
  if (form !== 'table') writeValue(io, form, { ready, items: states })
  else if (words[0]?.includes('/') === true && found[0] !== undefined) describe(io, found[0], now)
  else show(io, states, target, now)
  for (const { kind, namespace, name, state, reason, message, warnings = [] } of states) {
    const tell = (verb: string, one: Warning): void =>
      writeProblem(io, `${verb.padEnd(10)} ${kind} ${namespace}/${name}: ${one.reason}: ${one.message}`)
    if (state !== 'Ready') tell(state.toLowerCase(), { reason, message })
    for (const warning of warnings) tell('warning', warning)
  }
  // What was asked for is there; whether servers use it is told, and is no failure of it.
  for (const { kind, namespace, name, serving } of states)
    if (serving !== undefined && serving.status !== 'True')
      writeProblem(io, `servers    ${kind} ${namespace}/${name}: ${serving.reason}: ${serving.message}`)
  return ready ? 0 : 1
})

/** @throws UsageError for a word that is no kind. */
const kindNamed = (word: string): CustomKind => {
  const wanted = word.toLowerCase()
  const kind = shown.find(
    ({ resource, singular, shortNames }) =>
      [resource.plural, singular, resource.kind.toLowerCase()].includes(wanted) || shortNames.includes(wanted),
  )
  if (kind !== undefined) return kind
  throw new UsageError(`"${word}" is not one of ${shown.map(({ singular }) => singular).join(', ')}; write KIND/NAME`)
}

const find = async (target: Target, word: string | undefined): Promise<WithStatus[]> => {
  const { cluster, namespace, scope } = target
  if (word === undefined) {
    const lists = await allInOrder(shown.map(({ resource }) => listAll(cluster, resource, { namespace: scope })))
    return lists.flat()
  }
  const [kindWord = '', ...rest] = word.split('/')
  const { resource } = kindNamed(kindWord)
  if (rest.length === 0) return listAll(cluster, resource, { namespace: scope })
  if (scope === undefined) throw new UsageError('--all-namespaces goes with a KIND, not with KIND/NAME')
  const key = parseName('KIND/NAME', rest.join('/'), namespace)
  try {
    return [await cluster.get(resource, key)]
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new CommandError(`there is no ${resource.kind} ${key.namespace}/${key.name}`, { cause: error })
  }
}

/** Ready objects beyond these are counted, not listed: nobody reads ten thousand lines. */
const mostReadyRows = 50

const show = (io: Io, states: readonly ObjectState[], target: Target, now: Instant): void => {
  if (states.length === 0) {
    writeLine(io, target.scope === undefined ? 'nothing found' : `nothing found in namespace ${target.scope}`)
    return
  }
  const troubled = states.filter(({ state }) => state !== 'Ready')
  const ready = states.filter(({ state }) => state === 'Ready')
  const all = target.scope === undefined
  const heading = [...(all ? ['NAMESPACE'] : []), 'KIND/NAME', 'STATE', 'NEXT', 'NOT AFTER']
  const row = (one: ObjectState): string[] => [
    ...(all ? [one.namespace] : []),
    `${one.kind}/${one.name}`,
    one.state,
    nextInWords(one, now),
    one.notAfter ?? '',
  ]
  writeTable(io, heading, [...troubled, ...ready.slice(0, mostReadyRows)].map(row))
  const hidden = ready.length - mostReadyRows
  if (hidden > 0) writeLine(io, `… and ${hidden} more that are Ready; --output json lists all`)
  const due = ready.filter((one) => one.due).length
  writeLine(io, `${ready.length} of ${states.length} ready${due > 0 ? `, ${due} due now` : ''}`)
  if (!target.live && (due > 0 || troubled.length > 0)) writeLine(io, 'dbtls run goes on with it when it is started')
}

const actions = { Renew: 'renewal', Retry: 'next attempt', RevocationList: 'revocation list', Rotation: 'rotation' }

const nextInWords = ({ next, due, rotation }: ObjectState, now: Instant): string => {
  if (next === undefined) return ''
  if (next.action === 'Rotation' && rotation !== undefined)
    return `rotation: ${rotation.phase}${rotation.held ? ', held' : ''}`
  const at = fromTimestamp(next.at)
  if (at === undefined) return actions[next.action]
  return due ? `${actions[next.action]} due` : `${actions[next.action]} ${relative(at, now)}`
}

const describe = (io: Io, object: WithStatus, now: Instant): void => {
  const one = stateOf(object, now)
  const time = (text: string | undefined): string | undefined => {
    const instant = fromTimestamp(text)
    return instant === undefined ? undefined : timeInWords(instant, now)
  }
  const { crl, lastFailure } = one
  const lines: readonly (readonly [string, string | undefined])[] = [
    [one.kind, `${one.namespace}/${one.name}`],
    ['State', `${one.state} (${one.reason})`],
    ['Message', one.message],
    ['Serial number', one.serialNumber],
    ['Valid until', time(one.notAfter)],
    ['Next', one.next && `${actions[one.next.action]}${one.next.at === undefined ? '' : ` at ${time(one.next.at)}`}`],
    ['Last failure', lastFailure && `${lastFailure.time}: ${lastFailure.message} (attempt ${one.failedAttempts})`],
    [
      'Revocation list',
      crl && `number ${listNumberOf(crl)} with ${crl.entries} revoked, until ${time(crl.nextUpdate)}`,
    ],
    ['Serving', one.serving && `${one.serving.status} (${one.serving.reason})`],
  ]
  const rotation = one.kind === 'CertificateAuthority' ? rotationLines(object as unknown as Seen, now) : []
  for (const [label, text] of [...lines, ...rotation])
    if (text !== undefined) writeLine(io, `${`${label}:`.padEnd(21)} ${text}`)
  for (const { address, message } of one.endpoints ?? [])
    writeLine(io, `${'Endpoint:'.padEnd(21)} ${address}: ${message ?? ''}`)
}
