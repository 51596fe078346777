/** Does what was decided about one object: makes it, looks at it, writes it again, gives it up or deletes it. */

import { ifFound, isAlreadyExists, isConflict, isForbidden, isNotFound } from '../cluster/errors.ts'
import type { Informer } from '../cluster/cache/informer.ts'
import { keyOf, type PartialObject, type Resource } from '../cluster/port.ts'
import { type Context, marks } from '../control/context.ts'
import { applyOwned, maxSecretBytes } from '../control/write-secret.ts'
import { ContentError } from '../material/contents.ts'
import { dataHash } from '../material/hash.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type ConfigMap, configMaps, secrets, type Secret } from '../resources/core.ts'
import { NotReady, ReconcileError } from '../runtime/errors.ts'
import { contentOf, type Sources } from './content.ts'
import { fieldsOf, judge, judgeRemoval, type Known, marksOf, nameOf, type Step } from './decide.ts'
import type { Placement, Target, TargetKind } from './wanted.ts'

type Live = ConfigMap | Secret

/** One look at the targets of one authority. */
export interface TrustRun {
  readonly context: Context
  readonly sources: Sources
  /** `namespace/name` of the authority, which may be gone. */
  readonly key: string
  readonly authority: CertificateAuthority | undefined
  readonly known: Map<string, Known>
  /** Encoded once for all namespaces. */
  readonly contents: Map<Target, Promise<ReadonlyMap<string, Uint8Array>>>
  readonly signal: AbortSignal
}

export type Outcome =
  | { readonly state: 'done'; readonly wrote: boolean }
  /** Something changed under our hands: look again at once. */
  | { readonly state: 'again' }
  /** Refused; tried again after a while. `namespace`: it does not exist, and nothing can be tried before it does. */
  | { readonly state: 'failed'; readonly note: string; readonly namespace?: string }

const done: Outcome = { state: 'done', wrote: false }
const wrote: Outcome = { state: 'done', wrote: true }

/** Rejects with what a server in trouble answers: then the whole look is repeated. */
export const take = async (run: TrustRun, step: Step): Promise<Outcome> => {
  try {
    const { placement } = step
    if (placement === undefined) return await remove(run, step.id)
    return await (step.create ? make(run, step.id, placement) : look(run, step.id, placement))
  } catch (error) {
    return outcomeOf(step, error)
  }
}

const outcomeOf = ({ id, placement }: Step, error: unknown): Outcome => {
  if (error instanceof NotReady && error.reason === 'NamespaceTerminating') return done
  if (isConflict(error) || isAlreadyExists(error)) return { state: 'again' }
  if (error instanceof ReconcileError && error.reason === 'Conflict') return { state: 'again' }
  if (isNotFound(error) && placement !== undefined) {
    const { namespace, target } = placement
    return { state: 'failed', note: `${target.field}: namespace "${namespace}" does not exist.`, namespace }
  }
  if (error instanceof NotReady) return { state: 'failed', note: error.message }
  if (error instanceof ReconcileError) return { state: 'failed', note: inNamespace(placement, error.message) }
  if (error instanceof ContentError) return { state: 'failed', note: `${placement?.target.field}: ${error.message}` }
  if (isForbidden(error)) return { state: 'failed', note: `The API server forbids to touch ${id}: ${error.message}` }
  throw error
}

/** A refusal names the object, and the namespace has to be said beside it. */
const inNamespace = (placement: Placement | undefined, message: string): string =>
  placement === undefined ? message : `Namespace "${placement.namespace}": ${message}`

const make = async (run: TrustRun, id: string, placement: Placement): Promise<Outcome> => {
  try {
    return await write(run, id, placement, undefined, undefined)
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    return look(run, id, placement)
  }
}

const look = async (run: TrustRun, id: string, placement: Placement): Promise<Outcome> => {
  const { known, key, context } = run
  const live = await read(run, id)
  if (live === undefined) return write(run, id, placement, undefined, undefined)
  const { uid = '', resourceVersion = '' } = live.metadata
  const before = known.get(id)
  const mine = before?.ours === true && before.uid === uid
  const judgement = judge(live, placement.target, key, mine)
  switch (judgement.act) {
    case 'keep':
      known.set(id, { uid, resourceVersion, ours: true, hash: placement.target.hash })
      return done
    case 'wait':
      known.delete(id)
      return done
    case 'leave':
      known.set(id, { uid, resourceVersion, ours: false, blocked: judgement.message })
      return done
    case 'write': {
      const outcome = await write(run, id, placement, { uid, resourceVersion }, judgement.data)
      if (judgement.adopts && run.authority !== undefined)
        context.events.record({
          regarding: run.authority,
          type: 'Normal',
          reason: 'Adopted',
          action: 'Distribute',
          note: `${id} asked for the trust bundle and has it now.`,
        })
      return outcome
    }
  }
}

const write = async (
  run: TrustRun,
  id: string,
  { target, namespace }: Placement,
  previous: { readonly uid: string; readonly resourceVersion: string } | undefined,
  present: ReadonlyMap<string, Uint8Array> | undefined,
): Promise<Outcome> => {
  const { context, key, known, signal } = run
  const data = present ?? (await encoded(run, target))
  const bytes = [...data.values()].reduce((sum, value) => sum + value.length, 0)
  if (bytes > maxSecretBytes)
    return {
      state: 'failed',
      note: `${target.field}: ${target.kind} "${target.name}" would hold ${bytes} bytes, and Kubernetes takes at most ${maxSecretBytes}; ask for fewer items.`,
    }
  const { labels, annotations } = marksOf(target, key)
  const object: Live = {
    apiVersion: 'v1',
    kind: target.kind,
    metadata: {
      name: target.name,
      namespace,
      ...previous,
      labels,
      annotations: { ...annotations, [marks.dataHash]: dataHash(data) },
    },
    ...fieldsOf(target.kind, data),
  }
  const { resource, cache } = storeOf(context, target.kind)
  const { metadata } = await applyOwned(context, resource, cache, object, previous === undefined, signal)
  const { uid = '', resourceVersion = '' } = metadata
  known.set(id, { uid, resourceVersion, ours: true, hash: target.hash })
  return wrote
}

const encoded = (run: TrustRun, target: Target): Promise<ReadonlyMap<string, Uint8Array>> => {
  const present = run.contents.get(target)
  if (present !== undefined) return present
  const { authority, context, sources, signal } = run
  if (authority === undefined) throw new Error('a bundle was to be written for an authority that is gone')
  const made = contentOf(sources, authority, target, context.random, signal)
  run.contents.set(target, made)
  return made
}

const remove = async (run: TrustRun, id: string): Promise<Outcome> => {
  const { context, key, known, signal } = run
  const live = await read(run, id)
  known.delete(id)
  if (live === undefined) return done
  const { name, namespace, uid = '', resourceVersion = '' } = live.metadata
  const { resource, cache } = storeOf(context, kindOf(id))
  switch (judgeRemoval(live, key).act) {
    case 'delete':
      try {
        await context.cluster.delete(resource, { namespace, name }, { uid, resourceVersion, signal })
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
      cache.removed(keyOf(live), uid)
      return wrote
    case 'release': {
      // An apply that names nothing gives up every field that was ours, and leaves those of others.
      const metadata = { name, namespace, uid, resourceVersion } as Live['metadata']
      await applyOwned(context, resource, cache, { apiVersion: 'v1', kind: live.kind, metadata }, false, signal)
      return wrote
    }
    case 'wait':
    case 'leave':
      return done
  }
}

const kindOf = (id: string): TargetKind => (nameOf(id).kind === 'Secret' ? 'Secret' : 'ConfigMap')

export const storeOf = (
  { caches }: Context,
  kind: TargetKind,
): { readonly resource: Resource<Live>; readonly cache: Informer<PartialObject> } =>
  kind === 'Secret' ? { resource: secrets, cache: caches.secrets } : { resource: configMaps, cache: caches.configMaps }

const read = async ({ context, signal }: TrustRun, id: string): Promise<Live | undefined> => {
  const { namespace, name } = nameOf(id)
  const { resource } = storeOf(context, kindOf(id))
  return ifFound(context.cluster.get(resource, { namespace, name }, { signal }))
}
