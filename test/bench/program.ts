/** The bundle that is measured: what the image runs. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { must } from '../controlplane/harness/index.ts'

/** Builds it, and lends `use` the path of a copy: a later build in the same checkout must not change what is being measured. */
export const withProgram = async (use: (program: string) => Promise<void>): Promise<void> => {
  await must(process.execPath, ['scripts/build.ts'])
  const dir = mkdtempSync(join(tmpdir(), 'dbtls-bench-program-'))
  try {
    cpSync('dist', dir, { recursive: true, filter: (path) => !path.endsWith('.map') })
    await use(join(dir, 'dbtls.mjs'))
  } finally {
    rmSync(dir, { recursive: true })
  }
}
