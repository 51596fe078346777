/** What `inspect` and `verify` look at: a Secret of a cluster or state, a file, or a folder of files as a mounted Secret is. */

import { statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { ifFound } from '../../cluster/errors.ts'
import { marks } from '../../control/context.ts'
import { dataOf, readSecret } from '../../control/secrets.ts'
import { maxKeystoreBytes } from '../../material/keystore.ts'
import type { Secret } from '../../resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../resources/database-certificate.ts'
import { systemClock, type Instant } from '../../runtime/clock.ts'
import { CommandError, exitCodeOf } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { namesIn, readBounded } from '../ledger/folder.ts'
import { parseName, type Target, type TargetOptions, withTarget } from '../shared/target.ts'

export interface Source {
  /** `Secret data/orders-tls`, or the path as it was given. */
  readonly title: string
  readonly parts: ReadonlyMap<string, Uint8Array>
  /** What may open its keystores and keys, besides what it holds itself. */
  readonly passwords: readonly string[]
  /** Whose Secret it is. */
  readonly certificate?: DatabaseCertificate
}

export const sourceUsage = `A word is a file, or a folder with the files of a Secret in it, where there is one of that name; otherwise it is a Secret,
[NAMESPACE/]NAME. With --state, --kubeconfig, --context or -n it is a Secret, unless it begins with "/" or ".".
`

interface Reader {
  readonly now: Instant
  readonly read: (word: string) => Promise<Source>
}

/** Runs `work` with a reader of words; a cluster is asked for only where a word is a Secret. */
export const withSources = async (
  verb: string,
  words: readonly string[],
  options: TargetOptions,
  io: Io,
  work: (reader: Reader) => Promise<number>,
): Promise<number> => {
  const targeted = [options.state, options.kubeconfig, options.context, options.namespace].some(
    (value) => value !== undefined,
  )
  const isPath = (word: string): boolean => /^[./]/.test(word) || (!targeted && exists(word))
  if (!words.every(isPath))
    return withTarget(verb, options, io, (target) =>
      work({
        now: target.clock.now(),
        read: (word) => (isPath(word) ? readPath(word) : readFromCluster(target, word, !targeted)),
      }),
    )
  try {
    return await work({ now: systemClock().now(), read: readPath })
  } catch (error) {
    return exitCodeOf(error, verb, io.stderr)
  }
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined

const readPath = async (path: string): Promise<Source> => {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw new CommandError(`${path}: there is no such file or folder`)
  if (!found.isDirectory())
    return { title: path, parts: new Map([[basename(path), await readPart(path)]]), passwords: [] }
  const parts = new Map<string, Uint8Array>()
  // A mounted Secret has its generations beside its keys, under names with a dot in front.
  const names = ((await namesIn(path)) ?? []).filter((name) => !name.startsWith('.')).toSorted()
  for (const name of names)
    if (statSync(join(path, name), { throwIfNoEntry: false })?.isFile() === true)
      parts.set(name, await readPart(join(path, name)))
  if (parts.size === 0) throw new CommandError(`${path}: there are no files in this folder`)
  return { title: path, parts, passwords: [] }
}

const readPart = async (path: string): Promise<Uint8Array> => {
  const text = await readBounded(path, maxKeystoreBytes)
  if (text === undefined) throw new CommandError(`${path}: there is no such file`)
  return Buffer.from(text, 'latin1')
}

const readFromCluster = async (target: Target, word: string, mayBeFile: boolean): Promise<Source> => {
  const key = parseName('SECRET', word, target.namespace)
  const secret = await readSecret(target.cluster, key)
  if (secret === undefined)
    throw new CommandError(
      `there is no Secret ${key.namespace}/${key.name}${mayBeFile ? `, and no file or folder ${word}` : ''}`,
    )
  const title = `Secret ${key.namespace}/${key.name}`
  const certificate = await holderOf(target, secret)
  const passwords = certificate === undefined ? [] : await passwordOf(target, certificate)
  return { title, parts: dataOf(secret), passwords, ...(certificate === undefined ? {} : { certificate }) }
}

/** The DatabaseCertificate that a Secret belongs to. */
const holderOf = async ({ cluster }: Target, { metadata }: Secret): Promise<DatabaseCertificate | undefined> => {
  const [kind, name] = metadata.annotations?.[marks.owner]?.split('/') ?? []
  const { namespace } = metadata
  if (kind !== databaseCertificates.kind || name === undefined || namespace === undefined) return undefined
  const found = await ifFound(cluster.get(databaseCertificates, { namespace, name }))
  return found?.spec.secret.name === metadata.name ? found : undefined
}

const passwordOf = async ({ cluster }: Target, { metadata, spec }: DatabaseCertificate): Promise<string[]> => {
  const reference = spec.keystore?.passwordSecretRef
  const { namespace } = metadata
  if (reference === undefined || namespace === undefined) return []
  const secret = await readSecret(cluster, { namespace, name: reference.name })
  const bytes = secret === undefined ? undefined : dataOf(secret).get(reference.key ?? 'password')
  return bytes === undefined ? [] : [passwordText(bytes)]
}

/** Without the newline that an editor adds. */
const passwordText = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('utf8')
    .replace(/\r?\n$/, '')

/** What a password can look like; nobody keeps more of them in one Secret. */
const mostPasswords = 4
const looksLikePassword = (bytes: Uint8Array): boolean =>
  bytes.length > 0 && bytes.length <= 1024 && /^[\x20-\x7e]+\r?\n?$/.test(Buffer.from(bytes).toString('latin1'))

/** Keys of the parts that may be passwords, the likeliest first, with their text. */
export const passwordParts = (parts: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, string> => {
  const likely = (name: string): number => Number(/pass|pwd|pin|secret/i.test(name))
  const found = [...parts].filter(([, bytes]) => looksLikePassword(bytes))
  const first = found.toSorted(([a], [b]) => likely(b) - likely(a)).slice(0, mostPasswords)
  return new Map(first.map(([name, bytes]) => [name, passwordText(bytes)]))
}
