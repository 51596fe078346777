/** What we deleted, while its last events may still be on the way. */
import type { ObjectMeta } from '../port.ts'
import { compareResourceVersions } from '../port.ts'

/** Whether `a` is newer than `b`; undefined where the server promises no order. */
export const newer = (a: string, b: string): boolean | undefined => {
  const order = compareResourceVersions(a, b)
  return order === undefined ? undefined : order > 0
}

interface Tombstone {
  readonly uids: Set<string>
  /** The newest version that was held: whatever is not newer is old news, of this object or of a predecessor. */
  floor: string | undefined
}

/** Entries whose deletion was streamed before it was answered stay until the next list; no more than this. */
const maxKeys = 10_000

export class Tombstones {
  readonly #byKey = new Map<string, Tombstone>()

  add(key: string, uid: string, version: string | undefined): void {
    const former = this.#byKey.get(key)
    const uids = (former?.uids ?? new Set<string>()).add(uid)
    this.#byKey.delete(key)
    this.#byKey.set(key, { uids, floor: version ?? former?.floor })
    if (this.#byKey.size > maxKeys) this.#byKey.delete(this.#byKey.keys().next().value ?? '')
  }

  /** Old news of a deleted object. One that a finalizer still holds shows a deletionTimestamp, and is no news of old. */
  cover(key: string, { uid = '', resourceVersion = '', deletionTimestamp }: ObjectMeta): boolean {
    const tombstone = this.#byKey.get(key)
    if (!tombstone) return false
    if (tombstone.floor !== undefined && newer(resourceVersion, tombstone.floor) === false) return true
    return tombstone.uids.has(uid) && deletionTimestamp === undefined
  }

  /** The stream has told the deletion of `uid`, or that a finalizer holds it. */
  dropUid(key: string, uid = ''): void {
    const tombstone = this.#byKey.get(key)
    if (!tombstone) return
    tombstone.uids.delete(uid)
    if (tombstone.uids.size === 0) this.#byKey.delete(key)
  }

  forget(which: (key: string) => boolean): void {
    for (const key of this.#byKey.keys()) if (which(key)) this.#byKey.delete(key)
  }
}
