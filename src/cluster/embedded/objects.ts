/** The objects of the storage, decoded: read, put, removed, and every change remembered for the watchers. */
import type { Clock } from '../../runtime/clock.ts'
import type { ObjectKey } from '../port.ts'
import type { JsonRecord } from './json.ts'
import { cleanRecord, deepFreeze, parseRecord } from './json.ts'
import type { EmbeddedKind } from './kinds.ts'
import { kindId } from './kinds.ts'
import { decodeManagers, encodeManagers } from './managers.ts'
import type { Managers } from './managers.ts'
import type { Row, RowKey, Storage } from './storage.ts'
import { metadataOf, ownersOf, text, uidsOf, withMetadata } from './stored.ts'
import type { Stored } from './stored.ts'
import type { Change } from './watches.ts'

export class Objects {
  readonly storage: Storage
  readonly #clock: Clock
  /** Of the transaction that runs; the cluster takes them when it is committed. */
  #changes: Change[] = []

  constructor(storage: Storage, clock: Clock) {
    this.storage = storage
    this.#clock = clock
  }

  takeChanges(): Change[] {
    return this.#changes.splice(0)
  }

  /** Runs one write; when it throws, or is a dry run, nothing of it stays. */
  part<T>(dryRun: boolean, work: () => T): T {
    const mark = this.#changes.length
    let done = false
    try {
      const result = this.storage.part(work, !dryRun)
      done = !dryRun
      return result
    } finally {
      if (!done) this.#changes.length = mark
    }
  }

  find(kind: EmbeddedKind, key: ObjectKey): Stored | undefined {
    const row = this.storage.get({ kind: kindId(kind.resource), namespace: key.namespace ?? '', name: key.name })
    return row && this.decode(row)
  }

  decode(row: Row): Stored {
    return { row, object: parseRecord(row.object), managers: decodeManagers(row.managers) }
  }

  /** Writes the object under the next version. */
  put(
    kind: EmbeddedKind,
    live: Stored | undefined,
    object: JsonRecord,
    managers: Managers = live?.managers ?? new Map(),
  ): JsonRecord {
    const version = this.storage.nextVersion()
    const metadata = { ...metadataOf(object), resourceVersion: String(version) }
    const stored = withMetadata(object, metadata)
    const row: Row = {
      kind: kindId(kind.resource),
      namespace: text(metadata, 'namespace') ?? '',
      name: text(metadata, 'name') ?? '',
      uid: text(metadata, 'uid') ?? '',
      version,
      object: JSON.stringify(stored),
      managers: encodeManagers(managers),
    }
    this.storage.put(row, uidsOf(ownersOf(stored)))
    this.#record(row, version, stored, live?.object, false)
    return stored
  }

  /** The object goes; it is returned as it was last, with the version of the deletion. */
  remove(stored: Stored): JsonRecord {
    const version = this.storage.nextVersion()
    const { row, object } = stored
    this.storage.remove(row)
    const last = withMetadata(object, { ...metadataOf(object), resourceVersion: String(version) })
    this.#record(row, version, last, object, true)
    return last
  }

  #record(
    { kind, namespace }: RowKey,
    version: number,
    object: JsonRecord,
    before: JsonRecord | undefined,
    deleted: boolean,
  ) {
    this.#changes.push({ kind, namespace, version, object: deepFreeze(cleanRecord(object)), before, deleted })
  }

  timestamp(): string {
    return `${new Date(this.#clock.now()).toISOString().slice(0, 19)}Z`
  }
}
