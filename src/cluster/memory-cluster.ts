/** For tests of leader election and events: objects with resourceVersions and preconditions, and calls that can fail or hang. */
import { ApiError } from './errors.ts'
import type { Cluster, KubeObject, ObjectKey, Resource, WriteOptions } from './port.ts'
import { keyOf } from './port.ts'

export const apiFailure = (status: number, reason: string): ApiError =>
  new ApiError({ status, reason, message: reason })

export class MemoryCluster {
  readonly objects = new Map<string, KubeObject>()
  readonly calls: string[] = []
  /** Runs before each call; may throw, or wait for ever. */
  before: (verb: string, signal: AbortSignal | undefined) => Promise<void> | void = () => undefined
  #version = 0

  get port(): Cluster {
    return {
      get: async (_: Resource, { namespace, name }: ObjectKey, { signal }: { signal?: AbortSignal } = {}) => {
        await this.#begin('get', signal)
        const found = this.objects.get(`${namespace}/${name}`)
        if (!found) throw apiFailure(404, 'NotFound')
        return found
      },
      create: async (_: Resource, object: KubeObject, { signal }: WriteOptions) => {
        await this.#begin('create', signal)
        if (this.objects.has(keyOf(object))) throw apiFailure(409, 'AlreadyExists')
        return this.#store(object)
      },
      update: async (_: Resource, object: KubeObject, { signal }: WriteOptions) => {
        await this.#begin('update', signal)
        const present = this.objects.get(keyOf(object))
        if (!present) throw apiFailure(404, 'NotFound')
        const { resourceVersion } = object.metadata
        if (resourceVersion !== undefined && resourceVersion !== present.metadata.resourceVersion)
          throw apiFailure(409, 'Conflict')
        return this.#store(object)
      },
    } as unknown as Cluster
  }

  async #begin(verb: string, signal: AbortSignal | undefined): Promise<void> {
    this.calls.push(verb)
    await this.before(verb, signal)
    if (signal?.aborted === true) throw apiFailure(0, 'Aborted')
  }

  #store(object: KubeObject): KubeObject {
    this.#version += 1
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } }
    this.objects.set(keyOf(stored), stored)
    return stored
  }
}

/** Never settles but for the signal. */
export const hanging = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(apiFailure(0, 'Aborted'))))
