/** `dbtls render`: no cluster at all. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { must } from '../../controlplane/harness/index.ts'
import type { Figure } from '../figures.ts'
import { authority, certificate, numbers } from '../objects.ts'
import type { Sizes } from '../sizes.ts'

export const render = async (program: string, { rendered }: Sizes): Promise<Figure[]> => {
  const dir = mkdtempSync(join(tmpdir(), 'dbtls-bench-'))
  try {
    const manifests = join(dir, 'manifests.yaml')
    const objects = [authority('data'), ...numbers(rendered).map((index) => certificate('data', index))]
    writeFileSync(manifests, objects.map((object) => JSON.stringify(object)).join('\n---\n'))
    const begin = performance.now()
    await must(process.execPath, [
      ...['--disable-warning=ExperimentalWarning', program, 'render'],
      ...['--filename', manifests, '--out', join(dir, 'out')],
    ])
    const seconds = (performance.now() - begin) / 1000
    const made = readdirSync(join(dir, 'out', 'data', 'secret')).length
    if (made < rendered) throw new Error(`render made ${made} of ${rendered} Secrets`)
    return [{ name: `render ${rendered} ECDSA`, unit: 's', measured: seconds, limit: { is: 'below', value: 10 } }]
  } finally {
    rmSync(dir, { recursive: true })
  }
}
