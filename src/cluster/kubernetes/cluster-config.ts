/** How to reach one API server: address, certificates, credentials. */
import { readFile } from 'node:fs/promises'

/** PEM, as node:tls takes it. */
export interface TlsMaterial {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
  /** Absent: verify. */
  readonly rejectUnauthorized?: boolean
}

export interface ClusterConfig {
  readonly server: URL
  /** The namespace of the context or of the pod; 'default' where neither says. */
  readonly namespace: string
  /** Becomes another object when a certificate changed: clients compare by identity and open new connections. */
  readonly tls: TlsMaterial
  /** HTTP or HTTPS proxy. */
  readonly proxy?: URL
  /** Adds Authorization (and impersonation) headers. Rejects with ConfigError where no credential can be had. */
  authorize(headers: Record<string, string>): Promise<void>
  /** After a 401 or a failed TLS verification: forgets cached credentials and reads files again. */
  refresh(): Promise<void>
}

/** The configuration itself is wrong or unreadable; the message names the file and the entry, never a credential. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

export const readText = async (path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new ConfigError(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`)
  }
}

export interface FileConfigInit {
  readonly server: URL
  readonly namespace: string
  readonly tls: TlsMaterial
  readonly proxy?: URL
  readonly reloadTls: () => Promise<TlsMaterial>
  readonly authorize: (headers: Record<string, string>) => Promise<void>
  readonly forget: () => void
}

/** A configuration whose certificates are files that may be replaced while we run. */
export class FileConfig implements ClusterConfig {
  readonly server: URL
  readonly namespace: string
  readonly proxy?: URL
  readonly #init: FileConfigInit
  #tls: TlsMaterial

  constructor(init: FileConfigInit) {
    this.#init = init
    this.#tls = init.tls
    this.server = init.server
    this.namespace = init.namespace
    if (init.proxy) this.proxy = init.proxy
  }

  get tls(): TlsMaterial {
    return this.#tls
  }

  authorize(headers: Record<string, string>): Promise<void> {
    return this.#init.authorize(headers)
  }

  /** Certificates that came with an exec credential. */
  replaceTls(tls: TlsMaterial): void {
    if (!sameTls(this.#tls, tls)) this.#tls = tls
  }

  async refresh(): Promise<void> {
    this.#init.forget()
    this.replaceTls(await this.#init.reloadTls())
  }
}

const sameTls = (a: TlsMaterial, b: TlsMaterial): boolean =>
  a.ca === b.ca &&
  a.cert === b.cert &&
  a.key === b.key &&
  a.servername === b.servername &&
  a.rejectUnauthorized === b.rejectUnauthorized
