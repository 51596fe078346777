/**
 * The API server as the tests see it: a small HTTPS client of their own, as system:masters, so that what the operator's
 * client believes of the API is not what its tests believe, too.
 */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { Connection } from '../../controlplane/harness/index.ts'

export interface Meta {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly resourceVersion: string
  readonly generation?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly { readonly uid: string; readonly kind: string }[]
  readonly deletionTimestamp?: string
}

export interface Thing {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Meta
}

export interface SecretThing extends Thing {
  readonly type: string
  readonly immutable?: boolean
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly observedGeneration?: number
}

/** CertificateAuthority, DatabaseCertificate or DatabaseTLSProfile. */
export interface CustomThing extends Thing {
  readonly spec: Readonly<Record<string, unknown>>
  readonly status?: {
    readonly observedGeneration?: number
    readonly conditions?: readonly Condition[]
    readonly serialNumber?: string
    readonly revision?: number
    readonly certificate?: { readonly serialNumber: string; readonly subjectKeyId: string }
  }
}

export interface LedgerThing extends Thing {
  readonly spec: {
    readonly authorityRef: { readonly name: string }
    readonly serialNumber: string
    readonly certificate: string
    readonly certificateRef?: { readonly namespace: string; readonly name: string; readonly uid: string }
    readonly supersedes?: { readonly serialNumber: string }
    readonly revocation?: { readonly reason: string }
  }
  readonly status?: { readonly state?: string }
}

export interface WatchedEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: T
}

interface ListOf<T> {
  readonly metadata: { readonly resourceVersion: string }
  readonly items: readonly T[]
}

export class ApiStatusError extends Error {
  override readonly name = 'ApiStatusError'
  readonly code: number
  constructor(code: number, message: string) {
    super(`${code}: ${message}`)
    this.code = code
  }
}

const folders: Readonly<Record<string, string>> = {
  secrets: '/api/v1',
  configmaps: '/api/v1',
  namespaces: '/api/v1',
  events: '/apis/events.k8s.io/v1',
  leases: '/apis/coordination.k8s.io/v1',
}

const pathOf = (plural: string, namespace?: string, name?: string): string =>
  [
    folders[plural] ?? '/apis/dbtls.dev/v1alpha1',
    ...(namespace === undefined ? [] : ['namespaces', namespace]),
    plural,
    ...(name === undefined ? [] : [name]),
  ].join('/')

export class Api {
  readonly #plane: Connection
  readonly #agent: Agent

  constructor(plane: Connection) {
    this.#plane = plane
    this.#agent = new Agent({ keepAlive: true, ca: readFileSync(plane.caFile), maxSockets: 32 })
  }

  get<T extends Thing>(plural: string, namespace: string, name: string): Promise<T> {
    return this.#json<T>('GET', pathOf(plural, namespace, name))
  }

  /** Undefined where there is none. */
  async find<T extends Thing>(plural: string, namespace: string, name: string): Promise<T | undefined> {
    try {
      return await this.get<T>(plural, namespace, name)
    } catch (error) {
      if (error instanceof ApiStatusError && error.code === 404) return undefined
      throw error
    }
  }

  async list<T extends Thing>(plural: string, namespace?: string): Promise<readonly T[]> {
    return (await this.#json<ListOf<T>>('GET', pathOf(plural, namespace))).items
  }

  create(plural: string, namespace: string, object: unknown): Promise<Thing> {
    return this.#json('POST', pathOf(plural, namespace), object)
  }

  /** JSON merge patch: null removes. */
  patch(plural: string, namespace: string, name: string, change: unknown): Promise<Thing> {
    return this.#json('PATCH', pathOf(plural, namespace, name), change, 'application/merge-patch+json')
  }

  /** JSON patch, for what a merge patch cannot say. */
  edit(plural: string, namespace: string, name: string, operations: readonly unknown[]): Promise<Thing> {
    return this.#json('PATCH', pathOf(plural, namespace, name), operations, 'application/json-patch+json')
  }

  async delete(plural: string, namespace: string | undefined, name: string): Promise<void> {
    await this.#json('DELETE', pathOf(plural, namespace, name))
  }

  /** Lists, then watches from there for as long as `signal` lets it, over any number of broken connections. */
  async follow<T extends Thing>(
    plural: string,
    namespace: string,
    signal: AbortSignal,
    seen: (event: WatchedEvent<T>) => void,
  ): Promise<void> {
    while (!signal.aborted) {
      try {
        const { metadata, items } = await this.#json<ListOf<T>>('GET', pathOf(plural, namespace))
        for (const object of items) seen({ type: 'ADDED', object })
        await this.#watch(pathOf(plural, namespace), metadata.resourceVersion, signal, seen)
      } catch {
        if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 200))
      }
    }
  }

  async #watch<T>(
    path: string,
    from: string,
    signal: AbortSignal,
    seen: (event: WatchedEvent<T>) => void,
  ): Promise<void> {
    const query = `?watch=1&timeoutSeconds=600&resourceVersion=${from}`
    const response = await this.#send('GET', `${path}${query}`, undefined, undefined, signal)
    let rest = ''
    response.setEncoding('utf8')
    for await (const chunk of response) {
      const lines = (rest + (chunk as string)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line !== '') seen(JSON.parse(line) as WatchedEvent<T>)
    }
  }

  async #json<T>(method: string, path: string, body?: unknown, type = 'application/json'): Promise<T> {
    const response = await this.#send(method, path, body, type)
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString('utf8')
    const code = response.statusCode ?? 0
    if (code < 300) return JSON.parse(text) as T
    throw new ApiStatusError(code, messageOf(text))
  }

  #send(method: string, path: string, body?: unknown, type?: string, signal?: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = request(`${this.#plane.server}${path}`, {
        method,
        agent: this.#agent,
        headers: {
          authorization: `Bearer ${this.#plane.adminToken}`,
          ...(type === undefined ? {} : { 'content-type': type }),
        },
        ...(signal === undefined ? {} : { signal }),
      })
      sent.once('response', resolve)
      sent.once('error', reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

const messageOf = (text: string): string => {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text
  } catch {
    return text
  }
}

export const bytesOf = (secret: SecretThing, key: string): Buffer => Buffer.from(secret.data?.[key] ?? '', 'base64')

export const textOf = (secret: SecretThing, key: string): string => bytesOf(secret, key).toString('utf8')
