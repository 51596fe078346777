/** Where the parts of a cluster are kept, once they were built. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from '../../databases/harness/install.ts'

export const kindCache = (): string => {
  const folder = join(cacheFolder(), '../kind')
  mkdirSync(folder, { recursive: true })
  return folder
}
