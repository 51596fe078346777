/** Where a signed certificate goes: a file of which is known beforehand that it can be made. */

import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, lstat, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { systemClock } from '../../runtime/clock.ts'
import { CommandError, isSystemError, systemErrorText } from '../shared/failures.ts'

export interface ReservedFile {
  /** Puts the file in its place at once, with mode 0644. Rejects with CommandError, also where one has come there meanwhile. */
  write(text: string): Promise<void>
  /** Leaves nothing behind but what was written; to be called in any case. */
  release(): Promise<void>
}

/**
 * What is signed and then lost would stay in the ledger for nobody. Rejects with CommandError where the file is there already,
 * unless `force`, or where its folder cannot be written.
 */
export const reserveFile = async (path: string, force: boolean): Promise<ReservedFile> => {
  await sweep(path)
  const fresh = `${path}.${randomBytes(6).toString('hex')}.new`
  await saying(path, async () => {
    if (!force && (await isThere(path))) throw taken(path)
    await (await open(fresh, 'wx', 0o644)).close()
  })
  return {
    write: (text) =>
      saying(path, async () => {
        await fill(fresh, text)
        if (force) await rename(fresh, path)
        else await place(fresh, path)
      }),
    release: () => rm(fresh, { force: true }),
  }
}

/** No signature takes so long, even one that waits for an answer of the operator, ms. */
const abandonedAfterMs = 24 * 3600 * 1000

/** Takes away what a run that was killed has left for this path. What cannot be taken away is in nobody's way. */
const sweep = async (path: string): Promise<void> => {
  const [folder, name] = [dirname(path), basename(path)]
  const isOurs = (found: string): boolean =>
    found.startsWith(`${name}.`) && /^[0-9a-f]{12}\.new$/.test(found.slice(name.length + 1))
  for (const found of (await readdir(folder).catch(() => [])).filter(isOurs)) {
    const at = await lstat(join(folder, found)).catch(() => undefined)
    if (at?.isFile() !== true || at.mtimeMs + abandonedAfterMs > systemClock().now()) continue
    await rm(join(folder, found), { force: true }).catch(() => undefined)
  }
}

const fill = async (path: string, text: string): Promise<void> => {
  const file = await open(path, 'w', 0o644)
  try {
    // Not what the umask says: it is public, and whoever runs a database has to read it.
    await file.chmod(0o644)
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A rename would replace what is there; not every file system has links. */
const place = async (fresh: string, path: string): Promise<void> => {
  try {
    await link(fresh, path)
  } catch (error) {
    if (!isSystemError(error) || error.code === 'EEXIST') throw error
    await copyFile(fresh, path, constants.COPYFILE_EXCL)
  }
}

const isThere = async (path: string): Promise<boolean> => {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return false
    throw error
  }
}

const taken = (path: string): CommandError =>
  new CommandError(`${path} is there already: name another file with --out, or say --force`)

const saying = async (path: string, work: () => Promise<void>): Promise<void> => {
  try {
    await work()
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw error.code === 'EEXIST'
      ? taken(path)
      : new CommandError(`${path}: ${systemErrorText(error)}`, { cause: error })
  }
}
