/** Manifests from files: what `run` and `render` are given, with the line of everything that is wrong with them. */
import type { Stats } from 'node:fs'
import { lstat, readFile, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Document, Node } from 'yaml'
import { LineCounter, isMap, isSeq, parseAllDocuments } from 'yaml'
import { apiVersionOf } from '../../cluster/port.ts'
import type { KubeObject, Resource } from '../../cluster/port.ts'
import { configMaps, namespaces, secrets } from '../../resources/core.ts'
import { group } from '../../resources/kind.ts'
import { kinds } from '../../resources/kinds.ts'
import { admit } from '../../resources/validate.ts'
import { systemErrorText } from '../shared/failures.ts'
import { offsetOf } from './manifest-lines.ts'

export interface Problem {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** Empty where the file or the document as a whole is meant. */
  readonly field: string
  readonly message: string
}

export interface Manifest {
  readonly file: string
  readonly line: number
  readonly resource: Resource
  readonly object: KubeObject
  readonly lineOf: (field: string) => number
}

export interface ManifestSet {
  /** Well-formed ones, in the order of the files; those with problems are named in `problems` and are not here. */
  readonly manifests: readonly Manifest[]
  /** `Kind/namespace/name` of everything that was named, sound or not: an object whose manifest is wrong still has one. */
  readonly named: ReadonlySet<string>
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** Files of which it is not known what they hold. */
  readonly unreadable: readonly string[]
}

export const problemText = ({ file, line, field, message }: Problem): string =>
  `${file}:${line}: ${field === '' ? '' : `${field}: `}${message}`

const resources: readonly Resource[] = [secrets, configMaps, namespaces, ...kinds.map(({ resource }) => resource)]

export const identityOf = ({ kind, metadata }: KubeObject): string =>
  `${kind}/${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`

interface Draft {
  readonly manifests: Manifest[]
  readonly named: Map<string, string>
  readonly problems: Problem[]
  readonly warnings: Problem[]
  readonly unreadable: Set<string>
}

type Members = Readonly<Record<string, unknown>>
const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const own = (value: unknown, name: string): unknown =>
  isMembers(value) && Object.hasOwn(value, name) ? value[name] : undefined

/** One object of a file: its YAML node, and the plain value of it. */
interface Entry {
  readonly value: unknown
  readonly place: (field: string, message: string) => Problem
}

/** Objects of a document; a List stands for its items. */
const entriesOf = (document: Document, place: (offset: number) => Entry['place']): Entry[] => {
  // The limit is against documents that unfold into gigabytes.
  const value: unknown = document.toJS({ maxAliasCount: 100 })
  const entry = (node: unknown, inner: unknown): Entry => ({
    value: inner,
    place: (field, message) => place(offsetOf(node, field))(field, message),
  })
  const items = own(value, 'items')
  const nodes = isMap(document.contents) ? document.contents.get('items', true) : undefined
  if (!/^\w*List$/.test(String(own(value, 'kind'))) || !Array.isArray(items) || !isSeq(nodes))
    return [entry(document.contents, value)]
  return items.map((item, i) => entry(nodes.items[i] as Node, item))
}

const takeEntry = ({ value, place }: Entry, file: string, draft: Draft): void => {
  if (value === null || value === undefined) return
  const apiVersion = own(value, 'apiVersion')
  const kind = own(value, 'kind')
  if (!isMembers(value) || typeof kind !== 'string' || typeof apiVersion !== 'string') {
    draft.problems.push(place('', 'apiVersion and kind are missing: this is not a Kubernetes object'))
    draft.unreadable.add(file)
    return
  }
  const resource = resources.find((one) => one.kind === kind && apiVersionOf(one) === apiVersion)
  if (!resource && apiVersion.split('/')[0] === group) {
    draft.problems.push(strangerOfOurs(apiVersion, kind, place))
    draft.unreadable.add(file)
    return
  }
  if (!resource) {
    draft.warnings.push(place('kind', `${apiVersion} ${kind} is not a kind dbtls works with: skipped`))
    return
  }
  takeObject(value, resource, place, file, draft)
}

/** A slip of the pen: what it names is wanted from dbtls, and to skip it would look like success. */
const strangerOfOurs = (apiVersion: string, kind: string, place: Entry['place']): Problem => {
  const ours = resources.filter((one) => one.group === group)
  const known = ours.find((one) => one.kind === kind)
  return known
    ? place('apiVersion', `Invalid value: "${apiVersion}": ${kind} is served as ${apiVersionOf(known)}`)
    : place('kind', `Unsupported value: "${kind}": the kinds of ${group} are ${ours.map((one) => one.kind).join(', ')}`)
}

const takeObject = (value: Members, resource: Resource, place: Entry['place'], file: string, draft: Draft): void => {
  const metadata = own(value, 'metadata')
  const name = own(metadata, 'name')
  if (!isMembers(metadata) || typeof name !== 'string' || name === '') {
    const absent = name === undefined || name === null || name === ''
    const message = absent
      ? 'Required value: an object needs a name'
      : `Invalid value: ${JSON.stringify(name)}: a name is a string; put it in quotes`
    draft.problems.push(place('metadata.name', message))
    draft.unreadable.add(file)
    return
  }
  const given = own(metadata, 'namespace')
  const namespace = typeof given === 'string' && given !== '' ? given : 'default'
  const { namespace: _, ...rest } = metadata
  const object = {
    ...value,
    metadata: { ...rest, ...(resource.namespaced ? { namespace } : {}) },
  } as unknown as KubeObject
  const identity = identityOf(object)
  const line = place('', '').line
  const first = draft.named.get(identity)
  if (first !== undefined) {
    draft.problems.push(place('metadata.name', `${identity} is already defined at ${first}`))
    return
  }
  draft.named.set(identity, `${file}:${line}`)
  const judged = isPartialEntry(object)
    ? { ...object, spec: { ...sampleEntry, ...(own(object, 'spec') as Members) } }
    : object
  const verdict =
    resource.group === group ? admit(resource.kind, judged, undefined, { unknownFields: 'Refuse' }) : { object }
  if ('problems' in verdict) {
    draft.problems.push(...verdict.problems.map(({ field, message }) => place(field, message)))
    return
  }
  // What was written, not what admission made of it: a default belongs to nobody.
  draft.manifests.push({ file, line, resource, object, lineOf: (field) => place(field, '').line })
}

/** Stands for what the ledger's entry says itself, while the part that a person wrote is judged. */
const sampleEntry = {
  authorityRef: { name: 'ca', uid: 'u', fingerprint: '0'.repeat(64) },
  serialNumber: '01',
  certificate: 'PEM',
}

/**
 * Whether this is a revocation alone, to be merged into the entry that the CA made. A manifest that holds any of the
 * fixed fields is judged whole.
 */
export const isPartialEntry = (object: KubeObject): boolean => {
  const spec = own(object, 'spec')
  if (object.kind !== 'IssuedCertificate' || !isMembers(spec)) return false
  return Object.keys(sampleEntry).every((name) => !Object.hasOwn(spec, name))
}

/** Reads one text of YAML or JSON documents into `draft`. */
const takeText = (file: string, text: string, draft: Draft): void => {
  const lineCounter = new LineCounter()
  const lineAt = (offset: number): number => Math.max(lineCounter.linePos(offset).line, 1)
  const broken = (offset: number, message: string): void => {
    draft.problems.push({ file, line: lineAt(offset), field: '', message })
    draft.unreadable.add(file)
  }
  try {
    // Pretty errors would quote the file, and with it the passwords of a Secret.
    const parsed = parseAllDocuments(text, { lineCounter, prettyErrors: false, version: '1.2' })
    for (const document of Array.isArray(parsed) ? parsed : []) {
      const [error] = document.errors
      if (error) {
        broken(error.pos[0], error.message)
        continue
      }
      const entries = entriesOf(document, (offset) => (field, message) => ({
        file,
        line: lineAt(offset),
        field,
        message,
      }))
      for (const entry of entries) takeEntry(entry, file, draft)
    }
  } catch (error) {
    broken(0, `the file cannot be read as YAML: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const isManifestFile = (name: string): boolean => /\.(ya?ml|json)$/i.test(name) && !name.startsWith('.')

type Failed = (path: string, error: unknown) => void

/** A folder or a file as `stat` has it; undefined where there is none that could be read, told of by then. */
const look = async (path: string, failed: Failed): Promise<Stats | undefined> => {
  try {
    return await stat(path)
  } catch (error) {
    // Gone since its folder was read: it is as if it had never been there.
    if (await lstat(path).catch(() => undefined)) failed(path, error)
    return undefined
  }
}

interface Walk {
  /** Every folder passed, filled by the walk. */
  readonly folders: string[]
  readonly failed: Failed
}

/**
 * Manifest files below a folder, in the order of their names; hidden files and folders are passed over, and so are
 * links back to a folder one is in (`above`, as `device:inode`).
 */
const filesBelow = async (folder: string, at: Stats, walk: Walk, above: readonly string[] = []): Promise<string[]> => {
  const identity = `${at.dev}:${at.ino}`
  if (above.includes(identity) || above.length > 20) return []
  const found: string[] = []
  const names = await readdir(folder).catch((error: unknown) => walk.failed(folder, error))
  walk.folders.push(folder)
  for (const name of (names ?? []).toSorted()) {
    if (name.startsWith('.')) continue
    const path = join(folder, name)
    const kind = await look(path, walk.failed)
    if (kind?.isDirectory()) found.push(...(await filesBelow(path, kind, walk, [...above, identity])))
    else if (kind?.isFile() && isManifestFile(name)) found.push(path)
  }
  return found
}

const filesOf = async (path: string, walk: Walk): Promise<string[]> => {
  const at = await stat(path)
  if (at.isDirectory()) return filesBelow(path, at, walk)
  walk.folders.push(dirname(path))
  return [path]
}

export interface ManifestFiles {
  readonly files: readonly string[]
  /** Every folder in which a manifest stands or could come to stand. */
  readonly folders: readonly string[]
}

/** What `readManifests` would read, as far as it can be seen. */
export const listManifests = async (paths: readonly string[]): Promise<ManifestFiles> => {
  const folders: string[] = []
  const files = await Promise.all(
    paths.map((path) => filesOf(path, { folders, failed: () => undefined }).catch(() => [])),
  )
  return { files: files.flat(), folders }
}

export interface ReadManifests extends ManifestSet, ManifestFiles {}

/** Reads files and folders (recursively). Never rejects: what cannot be read is a problem like any other. */
export const readManifests = async (paths: readonly string[]): Promise<ReadManifests> => {
  const draft: Draft = { manifests: [], named: new Map(), problems: [], warnings: [], unreadable: new Set() }
  const files: string[] = []
  const folders: string[] = []
  const failed: Failed = (file, error) => {
    draft.unreadable.add(file)
    draft.problems.push({ file, line: 1, field: '', message: systemErrorText(error) })
  }
  for (const path of paths) {
    const found = await filesOf(path, { folders, failed }).catch((error: unknown) => failed(path, error))
    for (const file of found ?? []) {
      files.push(file)
      const text = await readFile(file, 'utf8').catch((error: unknown) => failed(file, error))
      if (text !== undefined) takeText(file, text, draft)
    }
  }
  return { ...finished(draft), files, folders }
}

/** The same for one text; `file` is the name that problems carry. */
export const parseManifests = (file: string, text: string): ManifestSet => {
  const draft: Draft = { manifests: [], named: new Map(), problems: [], warnings: [], unreadable: new Set() }
  takeText(file, text, draft)
  return finished(draft)
}

const finished = ({ manifests, named, problems, warnings, unreadable }: Draft): ManifestSet => ({
  manifests,
  named: new Set(named.keys()),
  problems,
  warnings,
  unreadable: [...unreadable],
})
