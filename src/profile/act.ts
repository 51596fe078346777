/** Does what was decided about a profile: applies DatabaseCertificates, writes ConfigMaps, removes what is not wanted any more. */

import { isAlreadyExists, isConflict, isForbidden, isNotFound } from '../cluster/errors.ts'
import { type Context, fieldManager, marks } from '../control/context.ts'
import { type Finding, stall, wait } from '../control/decision.ts'
import { applyOwned, explained, maxSecretBytes } from '../control/write-secret.ts'
import { ContentError } from '../material/contents.ts'
import { dataHash } from '../material/hash.ts'
import { type ConfigMap, configMaps } from '../resources/core.ts'
import { type DatabaseCertificate, databaseCertificates } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { Reason } from '../resources/reasons.ts'
import { NotReady, ReconcileError, Terminal } from '../runtime/errors.ts'
import { contentOf, type Sources } from '../trust/content.ts'
import { fieldsOf } from '../trust/decide.ts'
import { refusedKey, type Plan, type Step, type Version, versionOf } from './decide.ts'
import type { Memory } from './memory.ts'
import { configMapMetadata, isApplied, type WantedConfigMap } from './objects.ts'

/** Requests at the same time: two dozen certificates of one profile are made in a few turns. */
const width = 8

/** One look at one profile. */
export interface ProfileRun {
  readonly context: Context
  readonly sources: Sources
  readonly profile: DatabaseTLSProfile
  readonly memory: Memory
  readonly signal: AbortSignal
}

export interface Done {
  /** `DatabaseCertificate orders-server`, of what was made or changed and of what was removed. */
  readonly wrote: readonly string[]
  readonly removed: readonly string[]
  /** What was refused. */
  readonly findings: readonly Finding[]
  /** Something changed under our hands, or a refusal may pass: look again soon. */
  readonly again: boolean
}

type Outcome = 'done' | 'unchanged' | 'again' | { readonly finding: Finding; readonly again: boolean }

/** Rejects with what a server in trouble answers: then the whole look is repeated. */
export const carryOut = async (run: ProfileRun, { writes, removals, good }: Plan): Promise<Done> => {
  for (const { name, version, hash } of good) run.memory.configMaps.set(name, { ...version, hash })
  const written = await inTurns(run, writes)
  const passed = written.every(([, outcome]) => outcome === 'done' || outcome === 'unchanged')
  const removed = passed ? await inTurns(run, removals) : []
  const all = [...written, ...removed].map(([, outcome]) => outcome)
  const named = (some: typeof written): string[] =>
    some.flatMap(([step, outcome]) => (outcome === 'done' ? titleOf(step) : []))
  return {
    wrote: named(written),
    removed: named(removed),
    findings: all.flatMap((outcome) => (typeof outcome === 'object' ? outcome.finding : [])),
    again: all.some((outcome) => outcome === 'again' || (typeof outcome === 'object' && outcome.again)),
  }
}

const titleOf = (step: Step): string => {
  switch (step.act) {
    case 'applyCertificate':
      return `DatabaseCertificate ${step.object.metadata.name}`
    case 'writeConfigMap':
      return `ConfigMap ${step.wanted.name}`
    case 'deleteCertificate':
      return `DatabaseCertificate ${step.name}`
    case 'deleteConfigMap':
    case 'releaseConfigMap':
      return `ConfigMap ${step.name}`
  }
}

const inTurns = async (run: ProfileRun, steps: readonly Step[]): Promise<(readonly [Step, Outcome])[]> => {
  const queue = steps.values()
  const outcomes: (readonly [Step, Outcome])[] = []
  const worker = async (): Promise<void> => {
    for (const step of queue) outcomes.push([step, await take(run, step)])
  }
  const ended = await Promise.allSettled(Array.from({ length: Math.min(width, steps.length) }, worker))
  for (const one of ended) if (one.status === 'rejected') throw one.reason
  return outcomes
}

const take = async (run: ProfileRun, step: Step): Promise<Outcome> => {
  try {
    return await perform(run, step)
  } catch (error) {
    return outcomeOf(step, error)
  }
}

const outcomeOf = (step: Step, error: unknown): Outcome => {
  if (isConflict(error) || isAlreadyExists(error)) return 'again'
  if (isForbidden(error))
    return {
      finding: wait('WriteFailed', `The API server forbids to remove ${titleOf(step)}: ${error.message}`),
      again: true,
    }
  if (error instanceof ContentError)
    return { finding: stall('ProfileInvalid', `${titleOf(step)}: ${error.message}`), again: false }
  if (!(error instanceof ReconcileError)) throw error
  const reason = error.reason as Reason
  if (reason === ('Conflict' as string)) return 'again'
  if (error instanceof Terminal) return { finding: stall(reason, error.message), again: false }
  return { finding: wait(reason, error.message), again: !(error instanceof NotReady) }
}

const perform = (run: ProfileRun, step: Step): Promise<Outcome> => {
  switch (step.act) {
    case 'applyCertificate':
      return applyCertificate(run, step)
    case 'writeConfigMap':
      return writeConfigMap(run, step)
    case 'deleteCertificate':
    case 'deleteConfigMap':
      return remove(run, step)
    case 'releaseConfigMap':
      return release(run, step)
  }
}

/** Of what a restore wrote in the operator's name: that part which is not the profile's. */
const keptManager = 'dbtls.dev/kept'

const applyCertificate = async (
  { context, memory, signal }: ProfileRun,
  { object, previous: found, kept }: Extract<Step, { act: 'applyCertificate' }>,
): Promise<Outcome> => {
  const { cluster, caches } = context
  const apply = (one: DatabaseCertificate, manager: string, over: Version | undefined) =>
    cluster.apply(
      databaseCertificates,
      { ...one, metadata: { ...one.metadata, ...over } },
      { fieldManager: manager, force: true, createOnly: over === undefined, signal },
    )
  try {
    const previous = kept === undefined ? found : versionOf(await apply(kept, keptManager, found))
    const written = await apply(object, fieldManager, previous)
    caches.certificates.wrote(written)
    if (!isApplied(written, object)) memory.unyielding.add(refusedKey(written, object))
    return written.metadata.resourceVersion === found?.resourceVersion ? 'unchanged' : 'done'
  } catch (error) {
    throw isAlreadyExists(error) ? error : explained(object, error)
  }
}

const writeConfigMap = async (
  run: ProfileRun,
  { wanted, offered, previous, data: present }: Extract<Step, { act: 'writeConfigMap' }>,
): Promise<Outcome> => {
  const { context, profile, memory, signal } = run
  const data = present ?? (await bytesOf(run, wanted))
  const bytes = [...data.values()].reduce((sum, value) => sum + value.length, 0)
  if (bytes > maxSecretBytes)
    throw new Terminal(
      'ConfigMapTooLarge',
      `ConfigMap "${wanted.name}" would hold ${bytes} bytes, and Kubernetes takes at most ${maxSecretBytes}. What stands is left as it is.`,
    )
  const metadata = configMapMetadata(profile, wanted, offered)
  const object: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...metadata, ...previous, annotations: { ...metadata.annotations, [marks.dataHash]: dataHash(data) } },
    ...fieldsOf('ConfigMap', data),
  }
  const written = await applyOwned(
    context,
    configMaps,
    context.caches.configMaps,
    object,
    previous === undefined,
    signal,
  )
  const { uid = '', resourceVersion = '' } = written.metadata
  memory.configMaps.set(wanted.name, { uid, resourceVersion, hash: wanted.hash ?? '' })
  return 'done'
}

const bytesOf = ({ context, sources, signal }: ProfileRun, { content }: WantedConfigMap) =>
  content.from === 'text'
    ? Promise.resolve(content.data)
    : contentOf(sources, content.authority, content.target, context.random, signal)

type Removal = Extract<Step, { readonly name: string }>

const remove = async (
  { context, profile, memory, signal }: ProfileRun,
  { act, name, previous }: Removal,
): Promise<Outcome> => {
  const namespace = profile.metadata.namespace ?? 'default'
  const { cluster, caches } = context
  const certificate = act === 'deleteCertificate'
  try {
    await cluster.delete(certificate ? databaseCertificates : configMaps, { namespace, name }, { ...previous, signal })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  const cache = certificate ? caches.certificates : caches.configMaps
  cache.removed(`${namespace}/${name}`, previous.uid)
  if (!certificate) memory.configMaps.delete(name)
  return 'done'
}

/** Gives up every field of ours, and leaves those of others: an apply that names nothing. */
const release = async (
  { context, profile, memory, signal }: ProfileRun,
  { name, previous }: Removal,
): Promise<Outcome> => {
  const metadata = { name, namespace: profile.metadata.namespace ?? 'default', ...previous }
  const empty: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata }
  await applyOwned(context, configMaps, context.caches.configMaps, empty, false, signal)
  memory.configMaps.delete(name)
  return 'done'
}
