/** Keeps the objects of a cluster as a folder of manifests says: applies what is new, removes what is gone. */
import { createHash } from 'node:crypto'
import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { ApiError, ifFound, isNotFound } from '../../cluster/errors.ts'
import type { Cluster, KubeObject, Resource } from '../../cluster/port.ts'
import type { Clock, Timer } from '../../runtime/clock.ts'
import type { Manifest, Problem, ReadManifests } from './manifests.ts'
import { identityOf, isPartialEntry, listManifests, readManifests } from './manifests.ts'
import { manifestManager, withdraw } from './withdraw.ts'

/** Dependencies last, so that a first reading does not begin with complaints about what comes a moment later. */
const order = ['Namespace', 'Secret', 'ConfigMap', 'CertificateAuthority', 'DatabaseTLSProfile', 'DatabaseCertificate']
const rank = ({ resource }: Manifest): number => order.indexOf(resource.kind)

export interface ApplyResult {
  readonly applied: readonly { readonly manifest: Manifest; readonly object: KubeObject; readonly outcome: Outcome }[]
  readonly problems: readonly Problem[]
}
export type Outcome = 'created' | 'changed' | 'unchanged'

const problemsOf = (manifest: Manifest, error: unknown): Problem[] => {
  const { file, line, lineOf } = manifest
  if (!(error instanceof ApiError)) return [{ file, line, field: '', message: String(error) }]
  const causes = error.causes.filter(({ field }) => field !== undefined)
  if (causes.length === 0) return [{ file, line, field: '', message: error.message }]
  return causes.map(({ field = '', message = error.message }) => ({ file, line: lineOf(field), field, message }))
}

/** Applies every manifest; those that are refused do not keep the others back. */
export const applyManifests = async (cluster: Cluster, manifests: readonly Manifest[]): Promise<ApplyResult> => {
  const applied: { manifest: Manifest; object: KubeObject; outcome: Outcome }[] = []
  const problems: Problem[] = []
  for (const kind of [-1, ...order.keys()])
    await Promise.all(
      manifests
        .filter((manifest) => rank(manifest) === kind)
        .map(async (manifest) => {
          try {
            applied.push(await applyOne(cluster, manifest))
          } catch (error) {
            problems.push(...problemsOf(manifest, error))
          }
        }),
    )
  return { applied, problems }
}

const applyOne = async (cluster: Cluster, manifest: Manifest) => {
  const { resource, object } = manifest
  const before = await ifFound(cluster.get(resource, object.metadata))
  if (before === undefined && isPartialEntry(object)) throw noEntry(object)
  const after = await cluster.apply(resource, object, { fieldManager: manifestManager, force: true })
  const same = before?.metadata.resourceVersion === after.metadata.resourceVersion
  return {
    manifest,
    object: after,
    outcome: before === undefined ? 'created' : same ? 'unchanged' : 'changed',
  } as const
}

/** A revocation says nothing of what was signed, so that no entry can be made of it. */
const noEntry = ({ metadata: { name, namespace } }: KubeObject): ApiError => {
  const message = `Not found: ${JSON.stringify(name)}: no ledger in namespace ${namespace} has this entry; its name is <CA>-<serial number in lower-case hex>`
  return new ApiError({ status: 404, reason: 'NotFound', message, causes: [{ field: 'metadata.name', message }] })
}

/** What the folder needs of the embedded cluster besides the port. */
export interface AppliedIndex {
  appliedBy(fieldManager: string): { readonly resource: Resource; readonly object: KubeObject }[]
}

export interface FolderReport {
  applied(manifest: Manifest, outcome: 'created' | 'changed'): void
  removed(object: KubeObject): void
  refused(problem: Problem): void
  warned(problem: Problem): void
  note(message: string): void
}

export interface ManifestFolderInit {
  readonly paths: readonly string[]
  readonly cluster: Cluster & AppliedIndex
  readonly clock: Clock
  readonly report: FolderReport
  /** ms between looks at the files where the system does not tell of changes; default 2 s. */
  readonly pollMs?: number
}

const settleMs = 150
/** An editor that writes in place leaves the file empty for a moment; a manifest must be gone for this long. */
const confirmMs = 1000

export class ManifestFolder {
  readonly #init: ManifestFolderInit
  readonly #watchers = new Map<string, FSWatcher>()
  #poll: Timer | undefined
  #pending: Timer | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  #signature = ''
  #applied = new Map<string, string>()
  #told = new Set<string>()
  #missing = new Set<string>()

  constructor(init: ManifestFolderInit) {
    this.#init = init
  }

  /** Resolves when the files have been applied once; after that, changes follow by themselves until `stop`. */
  async start(): Promise<void> {
    await this.sync()
    this.#pollLater()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#poll?.cancel()
    this.#pending?.cancel()
    for (const watcher of this.#watchers.values()) watcher.close()
    await this.#running
  }

  /** Reads and applies now; calls are served one after the other. */
  sync(): Promise<void> {
    this.#running = this.#running.then(() => (this.#stopped ? undefined : this.#once()))
    return this.#running
  }

  async #once(): Promise<void> {
    const { paths, cluster, report } = this.#init
    const set = await readManifests(paths)
    this.#signature = await signatureOf(set.files)
    this.#watch(set.folders)
    const due = set.manifests.filter((manifest) => this.#applied.get(identityOf(manifest.object)) !== digest(manifest))
    const result = await applyManifests(cluster, due)
    for (const { manifest, outcome } of result.applied) {
      this.#applied.set(identityOf(manifest.object), digest(manifest))
      if (outcome !== 'unchanged') report.applied(manifest, outcome)
    }
    this.#tell([...set.problems, ...result.problems], set.warnings)
    await this.#prune(set)
  }

  /** Each problem once, until it goes away and comes back. */
  #tell(problems: readonly Problem[], warnings: readonly Problem[]): void {
    const { report } = this.#init
    const now = new Set([...problems, ...warnings].map((problem) => JSON.stringify(problem)))
    for (const problem of problems) if (!this.#told.has(JSON.stringify(problem))) report.refused(problem)
    for (const problem of warnings) if (!this.#told.has(JSON.stringify(problem))) report.warned(problem)
    this.#told = now
  }

  async #prune({ named, unreadable, files }: ReadManifests): Promise<void> {
    const { cluster, report } = this.#init
    const gone = cluster
      .appliedBy(manifestManager)
      // A Namespace would take everything in it along, and CA keys with it.
      .filter(({ object }) => object.kind !== 'Namespace' && !named.has(identityOf(object)))
      .filter(({ object }) => object.metadata.deletionTimestamp === undefined)
    const before = this.#missing
    this.#missing = new Set(gone.map(({ object }) => identityOf(object)))
    if (gone.length === 0) return
    const held = unreadable[0] ?? (files.length === 0 ? this.#init.paths[0] : undefined)
    if (held !== undefined) {
      const why = unreadable.length > 0 ? `while ${held} cannot be read` : `because ${held} holds no manifest at all`
      if ([...this.#missing].some((identity) => !before.has(identity)))
        report.note(`kept ${[...this.#missing].join(', ')}: nothing is removed ${why}`)
      return
    }
    if (gone.some(({ object }) => !before.has(identityOf(object)))) this.#later(confirmMs)
    for (const one of gone.filter(({ object }) => before.has(identityOf(object)))) {
      const { object } = one
      this.#applied.delete(identityOf(object))
      await withdraw(cluster, one).then(
        (done) => (done.state === 'removed' ? report.removed(object) : report.note(done.why)),
        (error: unknown) => {
          if (!isNotFound(error)) report.note(`cannot remove ${identityOf(object)}: ${String(error)}`)
        },
      )
    }
  }

  /** One watch a folder: a recursive one loses files that editors replace by renaming (seen on Linux). */
  #watch(folders: readonly string[]): void {
    for (const [folder, watcher] of this.#watchers) {
      if (folders.includes(folder)) continue
      watcher.close()
      this.#watchers.delete(folder)
    }
    for (const folder of folders) {
      if (this.#watchers.has(folder) || this.#stopped) continue
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#later(settleMs))
        watcher.on('error', () => {
          watcher.close()
          this.#watchers.delete(folder)
        })
        this.#watchers.set(folder, watcher)
      } catch {
        // No watch on this file system: the poll sees changes, too.
      }
    }
  }

  #later(ms: number): void {
    if (this.#stopped) return
    this.#pending?.cancel()
    this.#pending = this.#init.clock.setTimer(ms, () => void this.sync())
  }

  #pollLater(): void {
    if (this.#stopped) return
    this.#poll = this.#init.clock.setTimer(this.#init.pollMs ?? 2000, () => void this.#look())
  }

  async #look(): Promise<void> {
    const { files } = await listManifests(this.#init.paths)
    if ((await signatureOf(files)) !== this.#signature) await this.sync()
    this.#pollLater()
  }
}

const digest = ({ object }: Manifest): string => createHash('sha256').update(JSON.stringify(object)).digest('hex')

const signatureOf = async (files: readonly string[]): Promise<string> => {
  const parts = files.map(async (file) => {
    const found = await stat(file).catch(() => undefined)
    return found ? `${file} ${found.ino} ${found.size} ${found.mtimeMs}` : file
  })
  return (await Promise.all(parts)).join('\n')
}
