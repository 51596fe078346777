/** Manifests from files: what `run` and `render` are given, with the line of everything that is wrong with them. */
import { readFile, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Document, Node } from 'yaml'
import { LineCounter, isMap, isSeq, parseAllDocuments } from 'yaml'
import { apiVersionOf } from '../cluster/port.ts'
import type { KubeObject, Resource } from '../cluster/port.ts'
import { configMaps, namespaces, secrets } from '../resources/core.ts'
import { group } from '../resources/kind.ts'
import { kinds } from '../resources/kinds.ts'
import { admit } from '../resources/validate.ts'
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
  if (!resource) {
    const known = resources.find((one) => one.kind === kind && one.group === group)
    const why = known ? `; ${kind} is served as ${apiVersionOf(known)}` : ''
    draft.warnings.push(place('kind', `${apiVersion} ${kind} is not a kind dbtls works with: skipped${why}`))
    return
  }
  takeObject(value, resource, place, file, draft)
}

const takeObject = (value: Members, resource: Resource, place: Entry['place'], file: string, draft: Draft): void => {
  const metadata = own(value, 'metadata')
  const name = own(metadata, 'name')
  if (!isMembers(metadata) || typeof name !== 'string' || name === '') {
    draft.problems.push(place('metadata.name', 'Required value: an object needs a name'))
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
  const verdict =
    resource.group === group ? admit(resource.kind, object, undefined, { unknownFields: 'Refuse' }) : { object }
  if ('problems' in verdict) {
    draft.problems.push(...verdict.problems.map(({ field, message }) => place(field, message)))
    return
  }
  // What was written, not what admission made of it: a default belongs to nobody.
  draft.manifests.push({ file, line, resource, object, lineOf: (field) => place(field, '').line })
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

/** Manifest files below a folder, in the order of their names; hidden files and folders are passed over. */
const filesBelow = async (folder: string, folders: string[], depth = 0): Promise<string[]> => {
  if (depth > 20) return []
  const names = (await readdir(folder)).toSorted()
  const found: string[] = []
  folders.push(folder)
  for (const name of names) {
    if (name.startsWith('.')) continue
    const path = join(folder, name)
    const kind = await stat(path)
    if (kind.isDirectory()) found.push(...(await filesBelow(path, folders, depth + 1)))
    else if (kind.isFile() && isManifestFile(name)) found.push(path)
  }
  return found
}

const filesOf = async (path: string, folders: string[]): Promise<string[]> => {
  if ((await stat(path)).isDirectory()) return filesBelow(path, folders)
  folders.push(dirname(path))
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
  const files = await Promise.all(paths.map((path) => filesOf(path, folders).catch(() => [])))
  return { files: files.flat(), folders }
}

const reasonOf = (error: unknown): string => {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  if (code === 'ENOENT') return 'there is no such file or folder'
  return code === 'EACCES' ? 'permission denied' : `cannot be read (${code ?? String(error)})`
}

export interface ReadManifests extends ManifestSet, ManifestFiles {}

/** Reads files and folders (recursively). Never rejects: what cannot be read is a problem like any other. */
export const readManifests = async (paths: readonly string[]): Promise<ReadManifests> => {
  const draft: Draft = { manifests: [], named: new Map(), problems: [], warnings: [], unreadable: new Set() }
  const files: string[] = []
  const folders: string[] = []
  const failed = (file: string, error: unknown): void => {
    draft.problems.push({ file, line: 1, field: '', message: reasonOf(error) })
    draft.unreadable.add(file)
  }
  for (const path of paths) {
    const found = await filesOf(path, folders).catch((error: unknown) => failed(path, error))
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
