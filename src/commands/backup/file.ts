/** The file of a backup on disk: never over another, and never half. */

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { CommandError, isSystemError } from '../shared/failures.ts'
import { asContents, type BackupContents } from './contents.ts'
import { BackupError, openBackup, sealBackup } from './format.ts'

const inTheWay = (file: string): CommandError =>
  new CommandError(`${file} exists, and may be the only good backup: name another file`)

/** Before anything is read or asked for. Rejects with CommandError. */
export const refuseExisting = (file: string): void => {
  if (existsSync(file)) throw inTheWay(file)
}

/** Sealed, written beside its place (mode 0600), read back and compared: then it gets its name. */
export const writeBackup = async (file: string, contents: BackupContents, passphrase: string): Promise<void> => {
  const sealed = await sealBackup(contents, passphrase, contents.createdAt, (size) => randomBytes(size))
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(8).toString('hex')}`)
  try {
    await writeSynced(temporary, sealed)
    if (!isDeepStrictEqual(await readBackup(temporary, passphrase), contents))
      throw new CommandError(`what was written to ${dirname(file)} does not read back as it was: the disk is not sound`)
    await giveName(temporary, file)
    await syncFolder(dirname(file))
  } finally {
    await rm(temporary, { force: true })
  }
}

const writeSynced = async (path: string, bytes: Uint8Array): Promise<void> => {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** A link refuses a name that is taken, which a rename does not; not every file system has links. */
const giveName = async (temporary: string, file: string): Promise<void> => {
  try {
    await link(temporary, file)
  } catch (error) {
    if (!isSystemError(error)) throw error
    if (error.code === 'EEXIST') throw inTheWay(file)
    refuseExisting(file)
    await rename(temporary, file)
  }
}

/** Without it a loss of power may take the name away. Some file systems do not let folders be opened. */
const syncFolder = async (folder: string): Promise<void> => {
  try {
    const handle = await open(folder, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (!isSystemError(error)) throw error
  }
}

/** Rejects with CommandError for what is no backup, does not open, or holds something else. */
export const readBackup = async (file: string, passphrase: string): Promise<BackupContents> => {
  const sealed = await readFile(file)
  try {
    return asContents(await openBackup(sealed, passphrase))
  } catch (error) {
    if (error instanceof BackupError) throw new CommandError(`${file}: ${error.message}`, { cause: error })
    throw error
  }
}
