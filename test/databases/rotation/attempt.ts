/** One fresh connection to a database, with full verification and a client certificate, by the driver an application would use. */
import { readFileSync, realpathSync } from 'node:fs'
import { get } from 'node:https'
import { join } from 'node:path'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { createClient } from 'redis'
import { probe } from '../../../src/database/connect/probe.ts'
import { certificatesOf } from '../../../src/pki/encoding/pem.ts'
import { systemClock } from '../../../src/runtime/clock.ts'

export type Protocol = 'mysql' | 'postgresql' | 'redis' | 'http' | 'kafka' | 'cassandra'

export interface Settings {
  readonly protocol: Protocol
  /** Verified, and leads to 127.0.0.1. */
  readonly host: string
  /** Volume of the client: `tls.crt`, `tls.key`, `ca.crt`. */
  readonly folder: string
  readonly user?: string
  readonly password?: string
}

interface Pem {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Ends no attempt but one that hangs. */
const patienceMs = 60_000

/** All of one generation: the volume may be exchanged between two reads. */
const read = (folder: string): Pem => {
  for (;;) {
    const generation = realpathSync(join(folder, '..data'))
    const file = (key: string): string => readFileSync(join(generation, key), 'utf8')
    try {
      return { ca: file('ca.crt'), cert: file('tls.crt'), key: file('tls.key') }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}

type Attempt = (settings: Settings, port: number, pem: Pem) => Promise<unknown>

const byMysql: Attempt = async ({ host, user, password }, port, pem) => {
  const connection = await mysql.createConnection({
    ...{ host, port, connectTimeout: patienceMs },
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    // The name is checked only with this.
    ssl: { ...pem, verifyIdentity: true },
  })
  try {
    await connection.query('SELECT 1')
  } finally {
    connection.destroy()
  }
}

const byPostgresql: Attempt = async ({ host, user }, port, pem) => {
  const about = { host, port, database: 'postgres', connectionTimeoutMillis: patienceMs }
  const client = new pg.Client({ ...about, ...(user === undefined ? {} : { user }), ssl: { ...pem } })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('SELECT 1')
  } finally {
    await client.end()
  }
}

const byRedis: Attempt = async ({ host }, port, pem) => {
  // Node verifies the name that it sends.
  const socket = { host: '127.0.0.1', port, tls: true, servername: host, connectTimeout: patienceMs } as const
  const client = createClient({ socket: { ...socket, ...pem, reconnectStrategy: false } })
  const failed = new Promise<never>((_, reject) => client.on('error', reject))
  failed.catch(() => undefined)
  try {
    await Promise.race([client.connect().then(() => client.ping()), failed])
  } finally {
    client.destroy()
  }
}

const byHttp = (path: string, { host }: Pick<Settings, 'host'>, port: number, pem: Pem): Promise<void> =>
  new Promise<void>((resolve, reject) => {
    const request = get({ host, port, path, agent: false, timeout: patienceMs, ...pem }, (response) => {
      response.resume()
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`HTTP ${response.statusCode}`)),
      )
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', reject)
  })

/** Their drivers open several connections at once, so it is done by hand. */
const byProbe: Attempt = async ({ protocol, host }, port, { ca, cert, key }) => {
  const dialect = protocol === 'kafka' ? 'kafka' : 'cassandra'
  const target = { address: '127.0.0.1', port, dialect, serverName: host, roots: certificatesOf(ca) } as const
  const certificate = { chain: cert, key }
  const options = { clock: systemClock(), certificate, totalMs: patienceMs, connectMs: patienceMs }
  const { outcome, alert, fault, problems = [] } = await probe(target, options)
  if (outcome === 'Accepted' && problems.length === 0) return
  throw new Error([outcome, alert, fault?.message, ...problems].filter((part) => part !== undefined).join(' '))
}

const attempts: Readonly<Record<Protocol, Attempt>> = {
  mysql: byMysql,
  postgresql: byPostgresql,
  redis: byRedis,
  // Any member answers this: they elect another leader when theirs is restarted, and until then none of them is healthy.
  http: (settings, port, pem) => byHttp('/version', settings, port, pem),
  kafka: byProbe,
  cassandra: byProbe,
}

/** Whether a member of etcd is one of a cluster that has a leader; rejects where it is not. */
export const isHealthy = ({ host, folder }: Pick<Settings, 'host' | 'folder'>, port: number): Promise<void> =>
  byHttp('/health', { host }, port, read(folder))

/** Rejects with what the driver says. */
export const connect = async (settings: Settings, port: number): Promise<void> => {
  await attempts[settings.protocol](settings, port, read(settings.folder))
}
