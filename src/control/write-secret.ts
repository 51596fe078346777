/**
 * Writing the Secret of a resource: one server-side apply, so that a consumer sees one generation or the other and never
 * a mixture, and never over a Secret that changed or appeared meanwhile.
 */

import { isAlreadyExists, isConflict, isForbidden, isInvalid, isNamespaceTerminating } from '../cluster/errors.ts'
import type { Informer } from '../cluster/cache/informer.ts'
import type { KubeObject, OwnerReference, PartialObject, Resource } from '../cluster/port.ts'
import { dataHash } from '../material/hash.ts'
import { type ConfigMap, secrets, type Secret } from '../resources/core.ts'
import { NotReady, Retryable, Terminal } from '../runtime/errors.ts'
import { type Context, fieldManager, marks } from './context.ts'

/** What a Secret may hold in all (Kubernetes: core/v1 MaxSecretSize). */
export const maxSecretBytes = 1_048_576

export interface SecretContent {
  readonly namespace: string
  readonly name: string
  readonly type: string
  readonly data: ReadonlyMap<string, Uint8Array>
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** `Kind/name`: whose Secret it is. */
  readonly owner: string
  /** Present: the Secret goes with its owner. */
  readonly ownerReference?: OwnerReference | undefined
  /** The Secret as it was read live, or undefined when there was none. */
  readonly previous?: { readonly uid: string; readonly resourceVersion: string } | undefined
}

export const refuseOversized = (name: string, data: ReadonlyMap<string, Uint8Array>): void => {
  let bytes = 0
  for (const value of data.values()) bytes += value.length
  if (bytes <= maxSecretBytes) return
  throw new Terminal(
    'SecretTooLarge',
    `Secret "${name}" would hold ${bytes} bytes, and Kubernetes takes at most ${maxSecretBytes}; ask for fewer items or names. The present Secret is left as it is.`,
  )
}

/** The cache knew of no such Secret and there is one: what it holds has to be seen before anything more is issued for it. */
export class SecretAppeared extends Retryable {
  constructor(name: string) {
    super('Conflict', `Secret "${name}" appeared while it was being written.`)
  }
}

export const writeSecret = async (context: Context, content: SecretContent, signal: AbortSignal): Promise<Secret> => {
  refuseOversized(content.name, content.data)
  const { previous } = content
  const object: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: content.name,
      namespace: content.namespace,
      // uid and resourceVersion together: with the version alone a Secret deleted meanwhile would be created again.
      ...(previous === undefined ? {} : previous),
      labels: { ...content.labels, [marks.managedBy]: marks.managedByValue },
      annotations: {
        ...content.annotations,
        [marks.owner]: content.owner,
        [marks.dataHash]: dataHash(content.data),
      },
      ...(content.ownerReference === undefined ? {} : { ownerReferences: [content.ownerReference] }),
    },
    type: content.type,
    data: Object.fromEntries([...content.data].map(([key, bytes]) => [key, Buffer.from(bytes).toString('base64')])),
  }
  try {
    return await applyOwned(context, secrets, context.caches.secrets, object, previous === undefined, signal)
  } catch (error) {
    throw isAlreadyExists(error) ? new SecretAppeared(content.name) : error
  }
}

/**
 * One server-side apply of a Secret or ConfigMap: of a new one with `createOnly`, else over the very version that
 * `object.metadata` names by uid and resourceVersion. Throws what the queue understands; 409 AlreadyExists as it came.
 */
export const applyOwned = async <T extends Secret | ConfigMap>(
  context: Context,
  resource: Resource<T>,
  cache: Informer<PartialObject>,
  object: T,
  createOnly: boolean,
  signal: AbortSignal,
): Promise<T> => {
  try {
    const written = await context.cluster.apply(resource, object, {
      fieldManager,
      force: true,
      metadataOnly: true,
      createOnly,
      signal,
    })
    cache.wrote(written)
    return written
  } catch (error) {
    throw explained(object, error)
  }
}

/** What the queue understands of a refused write. */
export const explained = ({ kind, metadata }: KubeObject, error: unknown): unknown => {
  const named = `${kind} "${metadata.name}"`
  if (isNamespaceTerminating(error))
    return new NotReady('NamespaceTerminating', `Namespace "${metadata.namespace}" is being deleted.`)
  if (isConflict(error)) return new Retryable('Conflict', `${named} changed while it was being written.`)
  if (isInvalid(error)) return new Terminal('WriteFailed', `The API server refuses ${named}: ${error.message}`)
  if (isForbidden(error))
    return new Retryable('WriteFailed', `The API server forbids writing ${named}: ${error.message}`, { cause: error })
  return error
}
