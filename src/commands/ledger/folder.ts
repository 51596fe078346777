/** The folder of `openssl ca` on disk: read with bounds, written so that a reader never sees half a file. */

import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CommandError, isSystemError, systemErrorText } from '../shared/failures.ts'

/**
 * Contents of a regular file of at most `most` bytes as latin1, in which every byte is one character; undefined where there
 * is none. Rejects with CommandError for what is no file (a FIFO would never end) or too large.
 */
export const readBounded = async (path: string, most: number): Promise<string | undefined> => {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const found = await file.stat()
      if (!found.isFile()) throw new CommandError(`${path} is not a file`)
      if (found.size > most) throw new CommandError(`${path} has ${found.size} bytes; at most ${most} are read`)
      return (await file.readFile()).toString('latin1')
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isSystemError(error) && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined
    if (isSystemError(error)) throw new CommandError(`${path}: ${systemErrorText(error)}`, { cause: error })
    throw error
  }
}

/** Names in a folder, or undefined where there is none. */
export const namesIn = async (folder: string): Promise<string[] | undefined> => {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Mode 0700; one that is there already keeps its own. Rejects with CommandError for a link or a file in its place. */
export const makeFolder = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if (!(await lstat(folder)).isDirectory()) throw new CommandError(`${folder} is not a folder`)
}

/** Mode 0600, renamed into place; untouched where it already says the same. */
export const writePrivate = async (folder: string, name: string, text: string): Promise<void> => {
  const path = join(folder, name)
  const contents = Buffer.from(text, 'latin1')
  if (await holds(path, contents)) return
  const fresh = join(dirname(path), `.${name.split('/').at(-1)}.new`)
  await rm(fresh, { force: true })
  await writeFile(fresh, contents, { mode: 0o600, flag: 'wx' })
  await rename(fresh, path)
}

const holds = async (path: string, contents: Buffer): Promise<boolean> => {
  try {
    return contents.equals(await readFile(path))
  } catch (error) {
    if (isSystemError(error)) return false
    throw error
  }
}
