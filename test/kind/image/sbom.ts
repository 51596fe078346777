/** A CycloneDX bill of what is in the image: npm's own of the lockfile, and what Debian gave. */
import { readFileSync } from 'node:fs'
import { must } from '../../controlplane/harness/process.ts'

interface Component {
  readonly 'bom-ref': string
  readonly type: string
  readonly name: string
  readonly version: string
  readonly purl: string
}

export interface Sbom {
  readonly bomFormat: 'CycloneDX'
  readonly specVersion: string
  readonly metadata: { readonly component: Component }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[]
}

/** `libc6 2.41-12+deb13u3, …` */
const debianComponents = (manifest: string): Component[] =>
  manifest.split(', ').map((entry) => {
    const [name = '', version = ''] = entry.split(' ')
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=amd64&distro=debian-13`
    return { 'bom-ref': purl, type: 'library', name, version, purl }
  })

/**
 * References of what the packages of package.json's `dependencies` need. `npm sbom --omit=dev` would leave out those that a tool of
 * the development needs, too.
 */
const neededOf = ({ metadata, components, dependencies }: Sbom): Set<string> => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, Record<string, string>>
  const direct = { ...manifest['dependencies'], ...manifest['optionalDependencies'] }
  const named = new Map(components.map((one) => [one['bom-ref'], one.name]))
  const needs = new Map(dependencies.map(({ ref, dependsOn = [] }) => [ref, dependsOn]))
  const needed = new Set(
    (needs.get(metadata.component['bom-ref']) ?? []).filter((ref) => (named.get(ref) ?? '') in direct),
  )
  // A set hands out what is added on the way, too.
  for (const ref of needed) for (const further of needs.get(ref) ?? []) needed.add(further)
  return needed
}

export const sbomOf = async (debian: string): Promise<Sbom> => {
  const args = ['sbom', '--sbom-format=cyclonedx', '--package-lock-only', '--offline']
  const all = JSON.parse((await must('npm', args)).stdout) as Sbom
  const needed = neededOf(all)
  const system = debianComponents(debian)
  const self = all.metadata.component['bom-ref']
  const ownNeeds = all.dependencies.find(({ ref }) => ref === self)?.dependsOn ?? []
  return {
    ...all,
    // npm names it after the folder that it lies in.
    metadata: { ...all.metadata, component: { ...all.metadata.component, type: 'container', name: 'dbtls' } },
    components: [...all.components.filter((one) => needed.has(one['bom-ref'])), ...system],
    dependencies: [
      { ref: self, dependsOn: [...ownNeeds.filter((ref) => needed.has(ref)), ...system.map(({ purl }) => purl)] },
      ...all.dependencies.filter(({ ref }) => needed.has(ref)),
    ],
  }
}
