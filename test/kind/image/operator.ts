/**
 * The container image without Docker: an archive that podman, kind, docker and containerd load, and its bill of materials.
 *
 *   node test/kind/image/operator.ts [FOLDER]      default: build/image; prints names, digest and sizes
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../controlplane/harness/process.ts'
import { writeArchive, writeLayout } from './archive.ts'
import { configOf, operatorRoot } from './operator-root.ts'
import { sbomOf } from './sbom.ts'

export const operatorImage = 'localhost/dbtls:e2e'

export interface BuiltImage {
  readonly archive: string
  readonly sbom: string
  readonly digest: string
  /** Components of the bill of materials. */
  readonly components: number
  /** Bytes, not compressed. */
  readonly size: number
}

export const buildOperatorImage = async (folder: string): Promise<BuiltImage> => {
  mkdirSync(folder, { recursive: true })
  const work = mkdtempSync(join(folder, 'work-'))
  try {
    const { layers, debian } = await operatorRoot(work)
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    const git = await must('git', ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'])
    const layout = join(work, 'layout')
    const digest = await writeLayout(layout, {
      name: operatorImage,
      layers,
      config: configOf(version, git.stdout.trim()),
    })
    const archive = join(folder, 'dbtls.tar')
    await writeArchive(archive, layout)
    const bill = await sbomOf(debian)
    const sbom = join(folder, 'sbom.cdx.json')
    writeFileSync(sbom, `${JSON.stringify(bill, undefined, 2)}\n`)
    return { archive, sbom, digest, components: bill.components.length, size: statSync(archive).size }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const { archive, sbom, digest, components, size } = await buildOperatorImage(process.argv[2] ?? 'build/image')
  console.log(`${archive}  ${operatorImage}  ${digest}  ${(size / 2 ** 20).toFixed(0)} MiB, not compressed`)
  console.log(`${sbom}  CycloneDX, ${components} components`)
}
