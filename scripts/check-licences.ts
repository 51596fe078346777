/**
 * The licences of every installed package against an allow-list: the lockfile says what is for development only, each
 * package's own package.json says its licence.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const everywhere: ReadonlySet<string> = new Set([
  ...['MIT', 'Apache-2.0', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'PSF-2.0', 'Python-2.0', 'Unlicense'],
])
/** Weak copyleft is fine for what is not shipped. */
const developmentOnly: ReadonlySet<string> = new Set(['MPL-2.0', 'LGPL-2.1-or-later', 'BlueOak-1.0.0', 'CC0-1.0'])

interface LockedPackage {
  readonly version?: string
  readonly dev?: boolean
  readonly link?: boolean
}

interface Manifest {
  readonly name?: string
  readonly license?: string | { readonly type?: string }
  readonly licenses?: readonly { readonly type?: string }[]
}

/** SPDX identifiers of which one is enough: `(MIT OR Apache-2.0)` is two. */
export const choicesOf = (manifest: Manifest): string[] => {
  const { license } = manifest
  const text =
    typeof license === 'string' ? license : (license?.type ?? manifest.licenses?.map((one) => one.type).join(' OR '))
  return (text ?? 'no licence').replaceAll(/[()]/g, '').split(/\s+OR\s+/)
}

const main = (): void => {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, LockedPackage> }
  const counts = new Map<string, number>()
  let refused = 0
  for (const [folder, locked] of Object.entries(lock.packages)) {
    const file = join(folder, 'package.json')
    // Optional packages for other platforms are in the lockfile and not on the disk.
    if (folder === '' || locked.link === true || !existsSync(file)) continue
    const choices = choicesOf(JSON.parse(readFileSync(file, 'utf8')) as Manifest)
    const accepted = choices.find((one) => everywhere.has(one) || (locked.dev === true && developmentOnly.has(one)))
    if (accepted === undefined) {
      refused++
      const where = locked.dev === true ? 'development' : 'run time'
      console.error(`${folder} ${locked.version}: ${choices.join(' OR ')} is not allowed (${where})`)
    } else {
      counts.set(accepted, (counts.get(accepted) ?? 0) + 1)
    }
  }
  if (refused > 0) {
    process.exitCode = 1
    return
  }
  const summary = [...counts].toSorted((a, b) => b[1] - a[1]).map(([name, count]) => `${name} ${count}`)
  console.log(`licences: ${summary.join(', ')}`)
}

if (import.meta.main) main()
