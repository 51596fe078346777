/** How a restore writes one object: once, and in whose name. An operator may write at the same moment. */

import { isAlreadyExists, isConflict } from '../../cluster/errors.ts'
import type { KubeObject, Resource } from '../../cluster/port.ts'
import { fieldManager as operatorManager } from '../../control/context.ts'
import { fieldManager } from '../objects/renew.ts'
import { CommandError } from '../shared/failures.ts'
import type { Target } from '../shared/target.ts'
import { idOf } from './belongings.ts'

const attempts = 20

/** Rejects with CommandError where somebody else writes the same things meanwhile. */
export class Writer {
  readonly #target: Pick<Target, 'cluster'>
  readonly #present: ReadonlyMap<string, KubeObject>
  readonly #uids: ReadonlyMap<string, string>

  /** `present`: what was there before, by idOf. `uids`: of then → of what was restored up to now. */
  constructor(
    target: Pick<Target, 'cluster'>,
    present: ReadonlyMap<string, KubeObject>,
    uids: ReadonlyMap<string, string>,
  ) {
    this.#target = target
    this.#present = present
    this.#uids = uids
  }

  create<T extends KubeObject>(resource: Resource<T>, backup: T, made: T, manager: string): Promise<KubeObject> {
    const options = { fieldManager: manager, metadataOnly: true }
    return this.#once(backup, () => this.#target.cluster.create(resource, made, options))
  }

  /** In the operator's name, so that a profile which takes it in can take away what it comes to ask for no longer. */
  apply<T extends KubeObject>(resource: Resource<T>, backup: T, made: T): Promise<KubeObject> {
    const options = { fieldManager: operatorManager, force: true, createOnly: true, metadataOnly: true }
    return this.#once(backup, () => this.#target.cluster.apply(resource, made, options))
  }

  /** What belongs to others, besides what was applied. */
  add<T extends KubeObject>(resource: Resource<T>, more: T): Promise<KubeObject> {
    return this.#target.cluster.apply(resource, more, { fieldManager, metadataOnly: true })
  }

  /** `wanted` answers the status for the object as it is now, undefined where nothing is to be done. */
  async status<T extends KubeObject & { readonly status?: unknown }>(
    resource: Resource<T>,
    backup: T,
    known: T | undefined,
    wanted: (live: T) => T['status'] | undefined,
  ): Promise<void> {
    let at = known
    await retried(backup, async () => {
      const live = at ?? (await this.#live(resource, backup))
      at = undefined
      const status = wanted(live)
      if (status === undefined) return
      const { name, namespace, uid, resourceVersion } = live.metadata
      const { apiVersion, kind } = backup
      const update = { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion }, status }
      await this.#target.cluster.updateStatus(resource, update as unknown as T, {
        fieldManager: operatorManager,
        metadataOnly: true,
      })
    })
  }

  /** `wanted` answers the object as it is to be, undefined where nothing is to be done. */
  change<T extends KubeObject>(resource: Resource<T>, backup: T, wanted: (live: T) => T | undefined): Promise<void> {
    return retried(backup, async () => {
      const changed = wanted(await this.#live(resource, backup))
      if (changed !== undefined)
        await this.#target.cluster.update(resource, changed, { fieldManager, metadataOnly: true })
    })
  }

  /** What is there already is passed over. */
  async #once(backup: KubeObject, make: () => Promise<KubeObject>): Promise<KubeObject> {
    const present = this.#present.get(idOf(backup))
    if (present !== undefined) return present
    try {
      return await make()
    } catch (error) {
      throw isAlreadyExists(error) ? appeared(backup) : error
    }
  }

  /** The very object that was restored: another one of its name is not to be touched. */
  async #live<T extends KubeObject>(resource: Resource<T>, backup: T): Promise<T> {
    const { name, namespace, uid = '' } = backup.metadata
    const live = await this.#target.cluster.get(resource, { namespace, name })
    const expected = this.#uids.get(uid)
    if (expected !== undefined && live.metadata.uid !== expected) throw appeared(backup)
    return live
  }
}

const retried = async (object: KubeObject, work: () => Promise<void>): Promise<void> => {
  for (let left = attempts; ; left -= 1) {
    try {
      return await work()
    } catch (error) {
      if (!isConflict(error)) throw error
      if (left === 0) throw appeared(object)
    }
  }
}

const appeared = (object: KubeObject): CommandError =>
  new CommandError(`${idOf(object)} was written by somebody else meanwhile; give the same command again`)
