/** The SQLite file: rows of objects, the global resourceVersion, one writer at a time. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'

/** Another process works on the state folder; the message is for a person. */
export class StateInUse extends Error {
  override readonly name = 'StateInUse'
}

/** The state folder cannot be used as it is; the message is for a person. */
export class StateUnusable extends Error {
  override readonly name = 'StateUnusable'
}

/** Primary result codes (sqlite.org/rescode.html). */
const sqlite = { busy: 5, corrupt: 11, notDatabase: 26 } as const

/** Extended result codes carry the primary one in their low byte. */
const sqliteCode = (error: unknown): number | undefined => {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode & 0xff : undefined
}

const damaged = (path: string, why: string, cause?: unknown): StateUnusable =>
  new StateUnusable(`${path} is damaged (${why}): restore it from a backup, or move it away to begin anew`, { cause })

/** Runs `work` on a file or folder of the state. @throws StateUnusable for what SQLite or the system says of it. */
const using = <T>(path: string, work: () => T): T => {
  try {
    return work()
  } catch (error) {
    const code = sqliteCode(error)
    const text = error instanceof Error ? error.message : String(error)
    if (code === sqlite.corrupt || code === sqlite.notDatabase) throw damaged(path, text, error)
    const known = code !== undefined || (error instanceof Error && 'syscall' in error)
    if (!known) throw error
    const hint = 'its folder and files must be this user’s to write, or name another folder with --state'
    throw new StateUnusable(`the state cannot be kept in ${path} (${text}): ${hint}`, { cause: error })
  }
}

export interface Row {
  readonly kind: string
  /** '' for cluster-scoped kinds. */
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly version: number
  readonly object: string
  readonly managers: string
}

export interface RowKey {
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

const schema = `
  CREATE TABLE IF NOT EXISTS objects (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,
    version INTEGER NOT NULL, object TEXT NOT NULL, managers TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;
  CREATE UNIQUE INDEX IF NOT EXISTS objects_uid ON objects (uid);
  CREATE TABLE IF NOT EXISTS owners (
    owner TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (owner, kind, namespace, name)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS owners_child ON owners (kind, namespace, name);
  CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT OR IGNORE INTO counters VALUES ('resourceVersion', 1);
`

const databaseFile = 'state.sqlite'

/**
 * SQLite makes its files with the process's umask; an empty file made here first keeps the Secrets private from the
 * start, and its journals take over the mode of the main file.
 */
const privateFile = (path: string): string => {
  if (!existsSync(path)) writeFileSync(path, '', { mode: 0o600 })
  chmodSync(path, 0o600)
  return path
}

/** Held by a transaction on a file of its own, so that the kernel lets go of it however the process ends. */
const takeLock = (directory: string): DatabaseSync => {
  const pidFile = join(directory, 'pid')
  const lock = new DatabaseSync(privateFile(join(directory, 'lock')), { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    if (sqliteCode(error) !== sqlite.busy) throw error
    const holder = existsSync(pidFile) ? ` (process ${readFileSync(pidFile, 'utf8').trim()})` : ''
    throw new StateInUse(
      `the state folder ${directory} is in use by another dbtls${holder}: stop that one first, or name another folder with --state`,
      { cause: error },
    )
  }
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 })
  return lock
}

const openFile = (directory: string): DatabaseSync => {
  const path = join(directory, databaseFile)
  const database = new DatabaseSync(privateFile(path))
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;')
    // A damaged page found now is a sentence; found later it is a Secret that cannot be read.
    const found = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})[0]
    if (found !== 'ok') throw damaged(path, String(found).split('\n').at(-1) ?? '')
    database.exec(schema)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

export class Storage {
  readonly #database: DatabaseSync
  readonly #lock: DatabaseSync | undefined
  readonly #statements = new Map<string, StatementSync>()
  #version: number

  /** `directory` undefined keeps everything in memory. @throws StateInUse, StateUnusable */
  constructor(directory: string | undefined) {
    if (directory === undefined) {
      this.#database = new DatabaseSync(':memory:')
      this.#database.exec(schema)
    } else {
      using(directory, () => {
        mkdirSync(directory, { recursive: true, mode: 0o700 })
        chmodSync(directory, 0o700)
      })
      const lock = using(join(directory, 'lock'), () => takeLock(directory))
      this.#lock = lock
      try {
        this.#database = using(join(directory, databaseFile), () => openFile(directory))
      } catch (error) {
        lock.close()
        throw error
      }
    }
    this.#version = Number(this.#prepare("SELECT value FROM counters WHERE name = 'resourceVersion'").get()?.['value'])
  }

  /** The resourceVersion of the last write. */
  get version(): number {
    return this.#version
  }

  nextVersion(): number {
    this.#version += 1
    return this.#version
  }

  get({ kind, namespace, name }: RowKey): Row | undefined {
    const sql = 'SELECT * FROM objects WHERE kind = ? AND namespace = ? AND name = ?'
    return this.#prepare(sql).get(kind, namespace, name) as unknown as Row | undefined
  }

  byUid(uid: string): Row | undefined {
    return this.#prepare('SELECT * FROM objects WHERE uid = ?').get(uid) as unknown as Row | undefined
  }

  /** Rows of a kind in the order of namespace and name, behind `after`; a namespace narrows them. */
  *rows(kind: string, namespace: string | undefined, after: RowKey | undefined): Generator<Row> {
    const from = [after?.namespace ?? '', after?.name ?? ''] as const
    const sql = 'SELECT * FROM objects WHERE kind = ? AND (namespace, name) > (?, ?)'
    const order = ' ORDER BY namespace, name'
    // A statement of its own for each walk: a cached one would be reset by a second walk that begins meanwhile.
    const statement = this.#database.prepare(sql + (namespace === undefined ? order : ` AND namespace = ?${order}`))
    const rows =
      namespace === undefined ? statement.iterate(kind, ...from) : statement.iterate(kind, ...from, namespace)
    for (const row of rows) yield row as unknown as Row
  }

  *all(): Generator<Row> {
    for (const row of this.#database.prepare('SELECT * FROM objects').iterate()) yield row as unknown as Row
  }

  inNamespace(namespace: string): RowKey[] {
    const sql = 'SELECT kind, namespace, name FROM objects WHERE namespace = ?'
    return this.#prepare(sql).all(namespace) as unknown as RowKey[]
  }

  put(row: Row, owners: readonly string[]): void {
    this.#prepare('INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)').run(
      row.kind,
      row.namespace,
      row.name,
      row.uid,
      row.version,
      row.object,
      row.managers,
    )
    this.#clearOwners(row)
    for (const owner of owners)
      this.#prepare('INSERT OR IGNORE INTO owners VALUES (?, ?, ?, ?)').run(owner, row.kind, row.namespace, row.name)
  }

  remove(key: RowKey): void {
    this.#prepare('DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?').run(
      key.kind,
      key.namespace,
      key.name,
    )
    this.#clearOwners(key)
  }

  /** Objects that name `uid` as an owner. */
  dependents(uid: string): RowKey[] {
    const sql = 'SELECT kind, namespace, name FROM owners WHERE owner = ?'
    return this.#prepare(sql).all(uid) as unknown as RowKey[]
  }

  /** Every object that names an owner. */
  owned(): RowKey[] {
    return this.#prepare('SELECT DISTINCT kind, namespace, name FROM owners').all() as unknown as RowKey[]
  }

  /** One transaction, durable when this returns. What `work` throws rolls everything back. */
  transaction(work: () => void): void {
    const before = this.#version
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      work()
      if (this.#version !== before)
        this.#prepare("UPDATE counters SET value = ? WHERE name = 'resourceVersion'").run(this.#version)
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#version = before
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  /** Inside a transaction: what `work` throws, or `keep: false`, takes back this part alone. */
  part<T>(work: () => T, keep: boolean): T {
    const before = this.#version
    this.#database.exec('SAVEPOINT part')
    let done = false
    try {
      const result = work()
      done = keep
      return result
    } finally {
      if (!done) {
        this.#version = before
        this.#database.exec('ROLLBACK TO part')
      }
      this.#database.exec('RELEASE part')
    }
  }

  close(): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
    if (this.#lock?.isOpen) this.#lock.close()
  }

  #clearOwners({ kind, namespace, name }: RowKey): void {
    this.#prepare('DELETE FROM owners WHERE kind = ? AND namespace = ? AND name = ?').run(kind, namespace, name)
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#database.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}
