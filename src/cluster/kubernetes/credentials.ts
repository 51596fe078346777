/** Credentials that change while we run: token files, exec plugins, auth providers of client-node. */
import type { KubeConfig } from '@kubernetes/client-node'
import type { Clock } from '../../runtime/clock.ts'
import { ConfigError, readText } from './cluster-config.ts'

/** client-go reads a token file again after a minute; the kubelet replaces it at 80 % of its life. */
const tokenFileMs = 60_000

export class TokenFile {
  readonly #path: string
  readonly #clock: Clock
  #token: string | undefined
  #readAt = 0

  constructor(path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  async read(): Promise<string> {
    const now = this.#clock.monotonic()
    if (this.#token !== undefined && now - this.#readAt < tokenFileMs) return this.#token
    const token = (await readText(this.#path)).trim()
    if (token === '') throw new ConfigError(`${this.#path} is empty: a bearer token was expected`)
    this.#token = token
    this.#readAt = now
    return token
  }

  forget(): void {
    this.#token = undefined
  }
}

/** What a plugin answered. PEM and token are never logged. */
export interface Credential {
  readonly authorization?: string
  readonly cert?: string
  readonly key?: string
}

/** client-node's User, as far as its authenticators look at it. */
export type ClientNodeUser = Parameters<KubeConfig['addUser']>[0]

/**
 * Runs `exec` plugins through client-node's ExecAuth, which caches until the credential's expirationTimestamp. One
 * plugin process serves all requests that wait for it.
 */
export class ExecCredential {
  readonly #user: ClientNodeUser
  #auth: Promise<{ applyAuthentication(user: ClientNodeUser, options: object): Promise<void> }> | undefined
  #running: Promise<Credential> | undefined

  constructor(user: ClientNodeUser) {
    this.#user = user
  }

  get(): Promise<Credential> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  forget(): void {
    this.#auth = undefined
  }

  async #run(): Promise<Credential> {
    this.#auth ??= import('@kubernetes/client-node/dist/exec_auth.js').then(({ ExecAuth }) => new ExecAuth())
    const options: { headers?: Record<string, string>; cert?: string; key?: string } = {}
    try {
      await (await this.#auth).applyAuthentication(this.#user, options)
    } catch (error) {
      throw new ConfigError(`the exec plugin of user "${this.#user.name}" failed: ${firstLine(error)}`)
    }
    const authorization = options.headers?.Authorization
    if (authorization === undefined && options.cert === undefined)
      throw new ConfigError(`the exec plugin of user "${this.#user.name}" gave neither a token nor a certificate`)
    return {
      ...(authorization === undefined ? {} : { authorization }),
      ...(options.cert === undefined ? {} : { cert: options.cert }),
      ...(options.key === undefined ? {} : { key: options.key }),
    }
  }
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : 'unknown error').split('\n', 1)[0]?.slice(0, 200) ?? ''

/** Users with `auth-provider` (OIDC, the former cloud ones): the one case that needs the whole of client-node. */
export class ProviderCredential {
  readonly #user: ClientNodeUser
  readonly #server: string
  #config: Promise<KubeConfig> | undefined

  constructor(user: ClientNodeUser, server: string) {
    this.#user = user
    this.#server = server
  }

  async get(): Promise<Credential> {
    this.#config ??= this.#load()
    const options: { headers?: Record<string, string> } = {}
    try {
      await (await this.#config).applyToHTTPSOptions(options)
    } catch (error) {
      throw new ConfigError(`the auth provider of user "${this.#user.name}" failed: ${firstLine(error)}`)
    }
    const authorization = options.headers?.Authorization
    if (authorization === undefined)
      throw new ConfigError(`the auth provider of user "${this.#user.name}" gave no token`)
    return { authorization }
  }

  forget(): void {
    this.#config = undefined
  }

  async #load(): Promise<KubeConfig> {
    const clientNode = await import('@kubernetes/client-node')
    const config = new clientNode.KubeConfig()
    config.loadFromClusterAndUser({ name: 'cluster', server: this.#server, skipTLSVerify: false }, this.#user)
    return config
  }
}
