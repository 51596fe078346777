/** `dbtls renew`: certificates anew, now. The operator signs; this only asks it to, and may wait for it. */

import { isConflict, isNotFound } from '../../cluster/errors.ts'
import { keyOf, type KubeObject, type Resource } from '../../cluster/port.ts'
import { marks } from '../../control/context.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../resources/database-certificate.ts'
import { databaseTLSProfiles } from '../../resources/database-tls-profile.ts'
import { TokenBucket } from '../../runtime/token-bucket.ts'
import { CommandError } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { listAll } from '../shared/lists.ts'
import { UsageError, wholeNumber } from '../shared/options.ts'
import { writeLine, writeProblem } from '../shared/present.ts'
import { stateOf } from './status-of.ts'
import {
  allNamespacesFlag,
  allNamespacesUsage,
  parseName,
  targetFlags,
  targetUsage,
  targetVerb,
} from '../shared/target.ts'
import type { Target } from '../shared/target.ts'
import { lookUntil } from '../shared/wait.ts'

const usage = `usage: dbtls renew NAME… | --authority NAME | --profile NAME | --all  [options]

Has DatabaseCertificates issued anew now, under the same rules as when they are due. What is in their Secrets stays valid
until it is replaced.

  --authority [NS/]NAME     every certificate that this CertificateAuthority signs, in the namespace or with -A in all
  --profile [NS/]NAME       every certificate of this DatabaseTLSProfile, those of servers first
  --all                     every certificate of the namespace, or with -A of all
  --per-second N            ask for so many a second at most (default: 10)
  --wait                    until all are renewed
  --timeout SECONDS         of --wait (default: 300)
${targetUsage}${allNamespacesUsage}  --help                    this text

Examples:
  dbtls renew orders-server orders-app -n data
  dbtls renew --profile data/orders --wait
  dbtls renew --authority data/orders-ca -A --per-second 5 --wait

On a state folder the renewal is done by the next dbtls run or render.
Exit codes: 0 asked for, or with --wait renewed; 1 something could not be (each with its reason on stderr), 2 wrong usage.
`

const flags = {
  authority: { type: 'string' },
  profile: { type: 'string' },
  all: { type: 'boolean', default: false },
  'per-second': { type: 'string', default: '10' },
  wait: { type: 'boolean', default: false },
  timeout: { type: 'string', default: '300' },
  ...targetFlags,
  ...allNamespacesFlag,
} as const

/** Of the annotation that asks; not the operator's, so that its own writes never take it away. */
export const fieldManager = 'dbtls.dev/cli'

interface Wish {
  readonly names: readonly string[]
  readonly authority: string | undefined
  readonly profile: string | undefined
  readonly all: boolean
}

export const main = targetVerb('renew', usage, flags, async (target, values, words, io) => {
  const perSecond = wholeNumber('per-second', values['per-second'], 1, 1000)
  const timeoutMs = wholeNumber('timeout', values.timeout, 1, 86_400) * 1000
  const wait = values.wait === true
  if (wait && !target.live)
    throw new UsageError('--wait needs a cluster: on a state folder the next dbtls run or render does it')
  const { authority, profile } = values
  const wished = await find(target, { names: words, authority, profile, all: values.all === true })
  if (wished.length === 0) throw new CommandError('there is no such certificate')
  const failed = await ask(target, io, wished, perSecond)
  if (!wait) return failed.size > 0 ? 1 : 0
  const asked = wished.filter((one) => !failed.has(one))
  return (await untilRenewed(target, io, asked, timeoutMs)) && failed.size === 0 ? 0 : 1
})

/** @throws UsageError unless exactly one way of choosing is used. */
const find = async (target: Target, { names, authority, profile, all }: Wish): Promise<DatabaseCertificate[]> => {
  const { cluster, namespace, scope } = target
  if ([names.length > 0, authority !== undefined, profile !== undefined, all].filter(Boolean).length !== 1)
    throw new UsageError('say which: names, --authority, --profile or --all')
  if (names.length > 0) {
    const keys = names.map((name) => parseName('NAME', name, namespace))
    return Promise.all(keys.map((key) => existing(target, databaseCertificates, 'DatabaseCertificate', key)))
  }
  if (profile !== undefined) return ofProfile(target, parseName('--profile', profile, namespace))
  const signer = authority === undefined ? undefined : parseName('--authority', authority, namespace)
  const found = await listAll(cluster, databaseCertificates, { namespace: scope })
  return found.filter(({ metadata, spec }) => {
    if (metadata.deletionTimestamp !== undefined) return false
    if (signer === undefined) return true
    const { name, namespace: where = metadata.namespace } = spec.authorityRef
    return name === signer.name && where === signer.namespace
  })
}

type Named = ReturnType<typeof parseName>

const existing = async <T extends KubeObject>(
  { cluster }: Target,
  resource: Resource<T>,
  kind: string,
  key: Named,
): Promise<T> => {
  try {
    return await cluster.get(resource, key)
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new CommandError(`there is no ${kind} ${key.namespace}/${key.name}; nothing was asked for`, { cause: error })
  }
}

/** Clients last: those of servers are what a profile is renewed for when a key may be known to others. */
const turns: Readonly<Record<string, number>> = { Server: 0, Peer: 1, Client: 3 }
const turnOf = ({ spec: { role } }: DatabaseCertificate): number => turns[role ?? ''] ?? 2

const ofProfile = async (target: Target, key: Named): Promise<DatabaseCertificate[]> => {
  const { metadata } = await existing(target, databaseTLSProfiles, 'DatabaseTLSProfile', key)
  const found = await listAll(target.cluster, databaseCertificates, { namespace: key.namespace })
  return found
    .filter(
      ({ metadata: { deletionTimestamp, ownerReferences = [] } }) =>
        deletionTimestamp === undefined &&
        ownerReferences.some(({ uid, controller }) => controller === true && uid === metadata.uid),
    )
    .toSorted((a, b) => turnOf(a) - turnOf(b))
}

/** Returns those that could not be asked for. */
const ask = async (
  { cluster, clock }: Target,
  io: Io,
  wished: readonly DatabaseCertificate[],
  perSecond: number,
): Promise<ReadonlySet<DatabaseCertificate>> => {
  const pace = new TokenBucket({ perSecond, burst: perSecond })
  const failed = new Set<DatabaseCertificate>()
  for (const one of wished) {
    await clock.sleep(pace.reserve(clock.monotonic(), Infinity))
    const { apiVersion, kind, metadata } = one
    const { name, namespace, uid } = metadata
    // Only that it differs counts.
    const annotations = { [marks.renewTrigger]: new Date(clock.now()).toISOString() }
    const marked = { apiVersion, kind, metadata: { name, namespace, uid, annotations } }
    try {
      await cluster.apply(databaseCertificates, marked as unknown as DatabaseCertificate, {
        fieldManager,
        force: true,
        metadataOnly: true,
      })
      writeLine(io, `asked for  DatabaseCertificate ${keyOf(one)}`)
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
      failed.add(one)
      writeProblem(io, `failed     DatabaseCertificate ${keyOf(one)}: it was deleted meanwhile`)
    }
  }
  return failed
}

/** Whether all were renewed; tells each one, and at the end those that were not. */
const untilRenewed = async (
  target: Target,
  io: Io,
  asked: readonly DatabaseCertificate[],
  timeoutMs: number,
): Promise<boolean> => {
  const { cluster, clock } = target
  const open = new Map(asked.map((one) => [keyOf(one), one]))
  let stalled = 0
  let present = new Map<string, DatabaseCertificate>()
  const look = async (): Promise<boolean> => {
    present = new Map((await presentOf(cluster, [...open.values()])).map((one) => [keyOf(one), one]))
    for (const [key, before] of open) {
      const now = present.get(key)
      const state = now && stateOf(now, clock.now())
      const renewed = now !== undefined && now.status?.serialNumber !== before.status?.serialNumber
      if (renewed && state?.state === 'Ready')
        writeLine(io, `renewed    DatabaseCertificate ${key}: serial ${state.serialNumber}, until ${state.notAfter}`)
      else if (now === undefined || state?.state === 'Stalled') {
        stalled += 1
        const why = state === undefined ? 'it was deleted' : `${state.reason}: ${state.message}`
        writeProblem(io, `stalled    DatabaseCertificate ${key}: ${why}`)
      } else continue
      open.delete(key)
    }
    return open.size === 0
  }
  const all = await lookUntil(clock, timeoutMs, look)
  for (const key of open.keys()) {
    const now = present.get(key)
    const state = now && stateOf(now, clock.now())
    // Of one that is Ready the message is still about the certificate that was to be replaced.
    const why = state === undefined || state.state === 'Ready' ? 'the operator has not come to it' : state.message
    writeProblem(io, `not yet    DatabaseCertificate ${key}: ${why}`)
  }
  return all && stalled === 0
}

/** One list a namespace, however many of it are awaited. */
const presentOf = async (
  cluster: Target['cluster'],
  wanted: readonly DatabaseCertificate[],
): Promise<DatabaseCertificate[]> => {
  const namespaces = new Set(wanted.map(({ metadata }) => metadata.namespace))
  const lists = await Promise.all(
    [...namespaces].map((namespace) => listAll(cluster, databaseCertificates, { namespace })),
  )
  return lists.flat()
}
