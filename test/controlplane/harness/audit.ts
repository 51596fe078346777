/**
 * The API server's audit log as an oracle: what a user really asked of the server. Level Metadata, one line a request
 * at stage ResponseComplete; a watch is logged when it ends. No bodies, so no Secret data.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

export interface AuditLine {
  readonly auditID: string
  readonly stage: string
  readonly verb: string
  readonly requestURI: string
  readonly user: { readonly username: string; readonly groups?: readonly string[] }
  readonly userAgent?: string
  readonly objectRef?: {
    readonly apiGroup?: string
    readonly apiVersion?: string
    readonly resource: string
    readonly subresource?: string
    readonly namespace?: string
    readonly name?: string
  }
  readonly responseStatus?: { readonly code: number; readonly reason?: string; readonly message?: string }
  readonly requestReceivedTimestamp: string
  readonly stageTimestamp: string
  readonly annotations?: Readonly<Record<string, string>>
  /** What a server that was killed had written of an entry; the one after it, in the same line, is this. Nobody knows what it answered. */
  readonly torn?: string
}

/** Entries of this form begin so. */
const beginning = '{"kind":"Event"'

const parseLine = (text: string): AuditLine => {
  try {
    return JSON.parse(text) as AuditLine
  } catch (error) {
    const at = text.lastIndexOf(beginning)
    if (at <= 0) throw new Error(`not an entry of an audit log: ${text}`, { cause: error })
    return { ...(JSON.parse(text.slice(at)) as AuditLine), torn: text.slice(0, at) }
  }
}

export const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata}]
`

/** Reads a growing audit log, each byte once. */
export class AuditReader {
  readonly #file: string
  #offset = 0
  #rest = ''
  readonly #lines: AuditLine[] = []

  constructor(file: string) {
    this.#file = file
  }

  lines(): readonly AuditLine[] {
    const file = openSync(this.#file, 'r')
    try {
      const size = fstatSync(file).size
      const bytes = Buffer.alloc(size - this.#offset)
      const read = readSync(file, bytes, 0, bytes.length, this.#offset)
      this.#offset += read
      // latin1 keeps a character cut by the end of the file whole until the rest of it comes.
      const texts = (this.#rest + bytes.toString('latin1', 0, read)).split('\n')
      this.#rest = texts.pop() ?? ''
      for (const text of texts) {
        if (text !== '') this.#lines.push(parseLine(Buffer.from(text, 'latin1').toString('utf8')))
      }
    } finally {
      closeSync(file)
    }
    return this.#lines
  }
}

export interface AuditFilter {
  readonly user?: string
  /** Inclusive, milliseconds since the epoch, by the time the request arrived. */
  readonly since?: number
  /** Exclusive. */
  readonly until?: number
}

export const selectRequests = (lines: readonly AuditLine[], filter: AuditFilter): AuditLine[] =>
  lines.filter((line) => {
    if (filter.user !== undefined && line.user.username !== filter.user) return false
    const at = Date.parse(line.requestReceivedTimestamp)
    return at >= (filter.since ?? -Infinity) && at < (filter.until ?? Infinity)
  })

const resourceOf = (line: AuditLine): string => {
  const ref = line.objectRef
  if (ref === undefined) return line.requestURI.replace(/\?.*/, '')
  return ref.subresource === undefined ? ref.resource : `${ref.resource}/${ref.subresource}`
}

/** Requests by `verb resource[/subresource]`, for example `patch secrets`. */
export const countRequests = (lines: readonly AuditLine[], filter: AuditFilter): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const line of selectRequests(lines, filter)) {
    const key = `${line.verb} ${resourceOf(line)}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

const writing: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection'])

/** Writes, apart from the Lease of leader election, which is renewed for ever. */
export const writesOf = (lines: readonly AuditLine[], filter: AuditFilter): AuditLine[] =>
  selectRequests(lines, filter).filter((line) => writing.has(line.verb) && line.objectRef?.resource !== 'leases')

/** Requests that RBAC refused. A 403 for a namespace that is being deleted is not one of them. */
export const forbiddenOf = (lines: readonly AuditLine[], filter: AuditFilter): AuditLine[] =>
  selectRequests(lines, filter).filter((line) => line.annotations?.['authorization.k8s.io/decision'] === 'forbid')

/** `verb group/resource[/subresource]`; the core group is empty. */
export type Permission = string

/** What a user needed of RBAC. A patch that answered 201 made a new object by server-side apply, and so needed `create` too. */
export const usedPermissions = (lines: readonly AuditLine[], filter: AuditFilter): Set<Permission> => {
  const used = new Set<Permission>()
  for (const line of selectRequests(lines, filter)) {
    if (line.objectRef === undefined) continue
    const resource = `${line.objectRef.apiGroup ?? ''}/${resourceOf(line)}`
    used.add(`${line.verb} ${resource}`)
    if (line.verb === 'patch' && line.responseStatus?.code === 201) used.add(`create ${resource}`)
  }
  return used
}
