/**
 * Each resource of docs/operator-resources.md whose operator's own CRD is to be had, before a real API server with that CRD:
 * strictly, and with each field misspelled that leads to a Secret.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../src/cluster/port.ts'
import { ControlPlane, ensureNamespace } from '../controlplane/harness/index.ts'
import { operatorResources, ownCrds } from '../oracles/operator-resources.ts'
import { here, moduleFolder } from '../oracles/tools.ts'

type Tree = { readonly [key: string]: unknown }
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)
const nameOfSecret = /-(tls|ssl|ssl-internal|ca)$/

/** The paths of the fields of `value` that are, or lead to, the name of a Secret. */
const pathsToSecrets = (value: Tree, path: readonly string[] = []): string[][] =>
  Object.entries(value).flatMap(([key, inner]) => {
    const at = [...path, key]
    if (typeof inner === 'string' && nameOfSecret.test(inner)) return [at]
    const below = isTree(inner) ? pathsToSecrets(inner, at) : []
    return below.length === 0 ? [] : [at, ...below]
  })

const misspelled = (value: Tree, [first = '', ...rest]: readonly string[]): Tree => {
  const entries = Object.entries(value).map(([key, inner]) => {
    if (key !== first) return [key, inner] as const
    return rest.length === 0 ? ([`${key}Typo`, inner] as const) : ([key, misspelled(inner as Tree, rest)] as const)
  })
  return Object.fromEntries(entries)
}

const specOf = (resource: KubeObject): Tree => (resource as unknown as { spec: Tree }).spec

let plane: ControlPlane
beforeAll(async () => {
  plane = await ControlPlane.start({ audit: false, crds: false, controllerManager: false })
  await ensureNamespace(plane, 'data')
})
afterAll(() => plane.stop())

const say = (resource: KubeObject) =>
  plane.kubectl(['create', '--dry-run=server', '--validate=strict', '-f', '-'], JSON.stringify(resource))

describe.each(ownCrds)("the operator's own CRD for $preset", ({ preset, program, module, crd }) => {
  const resources = operatorResources.get(preset) ?? []
  let folder: string | undefined
  beforeAll(async () => {
    folder = await moduleFolder(program, module)
    if (folder === undefined) return console.error(`SKIPPED: the CRD for ${preset}: ${module} is not to be had here`)
    const kinds = new Set(resources.map(({ kind }) => kind))
    const wanted = readFileSync(join(folder, crd), 'utf8')
      .split(/^---$/m)
      .filter((text) => kinds.has(/^ {4}kind: (\w+)$/m.exec(text)?.[1] ?? ''))
    await plane.apply(wanted.join('---\n'))
    const names = wanted.map((text) => `crd/${/^ {2}name: (\S+)$/m.exec(text)?.[1]}`)
    await plane.untilEstablished(...names)
  })

  it('is that of the version which the page names', () => {
    const pinned = readFileSync(join(here, program, 'go.mod'), 'utf8')
    const version = new RegExp(`\\t${module} v(\\S+)`).exec(pinned)?.[1] ?? 'none'
    const page = readFileSync(new URL('../../docs/operator-resources.md', import.meta.url), 'utf8')
    expect(page).toMatch(new RegExp(`^\\| ${preset} +\\| ${version} +\\|`, 'm'))
  })

  it('takes the resource of the page, every field of it known', async (context) => {
    if (folder === undefined) return context.skip(`${module} is not to be had here`)
    expect(resources.length).toBeGreaterThan(0)
    for (const resource of resources) expect(await say(resource)).toMatchObject({ code: 0, stderr: '' })
  })

  it('refuses each field that leads to a Secret when it is misspelled', async (context) => {
    if (folder === undefined) return context.skip(`${module} is not to be had here`)
    for (const resource of resources) {
      const paths = pathsToSecrets(specOf(resource))
      expect(paths.length).toBeGreaterThan(0)
      for (const path of paths) {
        const { stderr } = await say({ ...resource, spec: misspelled(specOf(resource), path) } as KubeObject)
        expect(stderr).toContain(`unknown field "spec.${path.join('.')}Typo"`)
      }
    }
  })
})
