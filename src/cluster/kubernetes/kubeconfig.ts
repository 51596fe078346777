/** kubeconfig files: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ */
import { dirname, isAbsolute, join } from 'node:path'
import type { Clock } from '../../runtime/clock.ts'
import type { ClusterConfig, TlsMaterial } from './cluster-config.ts'
import { ConfigError, FileConfig, readText } from './cluster-config.ts'
import type { ClientNodeUser, Credential } from './credentials.ts'
import { ExecCredential, ProviderCredential, TokenFile } from './credentials.ts'

type Fields = Readonly<Record<string, unknown>>

/** One named entry, with the folder that its relative paths start from. */
interface Entry {
  readonly folder: string
  readonly fields: Fields
}

interface Merged {
  readonly currentContext: string | undefined
  readonly clusters: ReadonlyMap<string, Entry>
  readonly users: ReadonlyMap<string, Entry>
  readonly contexts: ReadonlyMap<string, Entry>
}

export interface KubeconfigOptions {
  /** As in $KUBECONFIG: of entries with one name the first file's counts. */
  readonly paths: readonly string[]
  readonly context?: string | undefined
  readonly clock: Clock
}

/** Rejects with ConfigError. */
export const loadKubeconfig = async ({ paths, context, clock }: KubeconfigOptions): Promise<ClusterConfig> => {
  const merged = await readAll(paths)
  const contextName = context ?? merged.currentContext
  if (!contextName) throw new ConfigError(`${paths.join(', ')}: no current-context, and no --context was given`)
  const chosen = find(merged.contexts, 'context', contextName)
  const cluster = find(merged.clusters, 'cluster', text(chosen.fields, 'cluster') ?? '')
  const userName = text(chosen.fields, 'user')
  const user = userName === undefined ? { folder: '', fields: {} } : find(merged.users, 'user', userName)
  const server = serverOf(cluster)
  const proxy = proxyOf(cluster)
  const reloadTls = (): Promise<TlsMaterial> => readTls(cluster, user)
  const credential = credentialOf(user, userName ?? '', server.href, clock)
  const config: FileConfig = new FileConfig({
    server,
    namespace: text(chosen.fields, 'namespace') ?? 'default',
    tls: await reloadTls(),
    ...(proxy === undefined ? {} : { proxy }),
    reloadTls,
    authorize: async (headers) => {
      const { authorization, cert, key } = await credential.get()
      if (authorization !== undefined) headers.authorization = authorization
      const as = text(user.fields, 'as')
      if (as !== undefined) headers['impersonate-user'] = as
      if (cert !== undefined) config.replaceTls({ ...config.tls, cert, ...(key === undefined ? {} : { key }) })
    },
    forget: () => credential.forget(),
  })
  return config
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const text = (fields: Fields, name: string): string | undefined => {
  const value = fields[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

const absolute = (folder: string, path: string): string => (isAbsolute(path) ? path : join(folder, path))

const readAll = async (paths: readonly string[]): Promise<Merged> => {
  const { parse } = await import('yaml')
  const merged = {
    clusters: new Map<string, Entry>(),
    users: new Map<string, Entry>(),
    contexts: new Map<string, Entry>(),
  }
  let currentContext: string | undefined
  for (const path of paths) {
    const source = await readText(path)
    let document: unknown
    try {
      // At its default level the parser prints warnings, too, with the line that they are about.
      document = parse(source, { logLevel: 'error' })
    } catch {
      // The parser's message quotes the line, which may hold a token.
      throw new ConfigError(`${path} is not YAML`)
    }
    if (!isFields(document)) throw new ConfigError(`${path} is not a kubeconfig`)
    currentContext ??= text(document, 'current-context')
    const folder = dirname(path)
    addEntries(merged.clusters, document.clusters, 'cluster', folder)
    addEntries(merged.users, document.users, 'user', folder)
    addEntries(merged.contexts, document.contexts, 'context', folder)
  }
  return { ...merged, currentContext }
}

const addEntries = (into: Map<string, Entry>, list: unknown, kind: string, folder: string): void => {
  if (!Array.isArray(list)) return
  for (const item of list as unknown[]) {
    if (!isFields(item)) continue
    const name = text(item, 'name')
    const fields = item[kind]
    if (name !== undefined && !into.has(name)) into.set(name, { folder, fields: isFields(fields) ? fields : {} })
  }
}

const find = (entries: ReadonlyMap<string, Entry>, kind: string, name: string): Entry => {
  const entry = entries.get(name)
  if (!entry)
    throw new ConfigError(`the kubeconfig has no ${kind} "${name}"; it has: ${[...entries.keys()].join(', ')}`)
  return entry
}

const serverOf = (cluster: Entry): URL => {
  const server = text(cluster.fields, 'server')
  if (server === undefined || !URL.canParse(server))
    throw new ConfigError('the cluster of the kubeconfig has no valid server')
  return new URL(server)
}

const proxyOf = (cluster: Entry): URL | undefined => {
  const proxy = text(cluster.fields, 'proxy-url')
  if (proxy === undefined) return undefined
  if (!/^https?:\/\//.test(proxy) || !URL.canParse(proxy))
    throw new ConfigError('proxy-url of the kubeconfig must begin with http:// or https://')
  return new URL(proxy)
}

/** Inline data (base64) wins over the file, as in client-go. */
const pem = async (entry: Entry, name: string): Promise<string | undefined> => {
  const data = text(entry.fields, `${name}-data`)
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8')
  const path = text(entry.fields, name)
  return path === undefined ? undefined : readText(absolute(entry.folder, path))
}

const readTls = async (cluster: Entry, user: Entry): Promise<TlsMaterial> => {
  const ca = await pem(cluster, 'certificate-authority')
  const cert = await pem(user, 'client-certificate')
  const key = await pem(user, 'client-key')
  const servername = text(cluster.fields, 'tls-server-name')
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
    ...(cluster.fields['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
  }
}

interface Source {
  get(): Promise<Credential>
  forget(): void
}

const nothingToForget = (): void => undefined

/** client-go's order: a token file wins over the token beside it, exec and auth providers come last. */
const credentialOf = (user: Entry, name: string, server: string, clock: Clock): Source => {
  const { fields, folder } = user
  const tokenFile = text(fields, 'tokenFile')
  if (tokenFile !== undefined) {
    const file = new TokenFile(absolute(folder, tokenFile), clock)
    return { get: async () => ({ authorization: `Bearer ${await file.read()}` }), forget: () => file.forget() }
  }
  const token = text(fields, 'token')
  if (token !== undefined) return { get: async () => ({ authorization: `Bearer ${token}` }), forget: nothingToForget }
  const username = text(fields, 'username')
  if (username !== undefined) {
    const basic = Buffer.from(`${username}:${text(fields, 'password') ?? ''}`).toString('base64')
    return { get: async () => ({ authorization: `Basic ${basic}` }), forget: nothingToForget }
  }
  if (isFields(fields.exec)) return new ExecCredential(execUser(name, fields.exec, user, server))
  if (isFields(fields['auth-provider']))
    return new ProviderCredential({ name, authProvider: fields['auth-provider'] }, server)
  return { get: async () => ({}), forget: nothingToForget }
}

/**
 * client-node starts the plugin as it is written; the rules it leaves out are added here: a command with a slash is
 * relative to the kubeconfig, and plugins find their ExecCredential in KUBERNETES_EXEC_INFO.
 */
const execUser = (name: string, exec: Fields, user: Entry, server: string): ClientNodeUser => {
  const command = text(exec, 'command') ?? ''
  const info = {
    apiVersion: exec.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(exec.provideClusterInfo === true ? { cluster: { server } } : {}) },
  }
  const env = Array.isArray(exec.env) ? (exec.env as unknown[]) : []
  return {
    name,
    exec: {
      ...exec,
      command: command.includes('/') ? absolute(user.folder, command) : command,
      env: [...env, { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }],
    },
  }
}
