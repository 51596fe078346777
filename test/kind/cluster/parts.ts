/** Everything a cluster is made of, built on first use and kept: programs, the system, the node's image. Tells what it does on stderr. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { built, controlPlaneBinaries } from '../../controlplane/harness/binaries.ts'
import { must } from '../../controlplane/harness/process.ts'
import { debian, once } from '../../databases/harness/install.ts'
import { kindCache } from './cache.ts'

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const keyOf = (...parts: readonly string[]): string =>
  createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16)

const nodeBinaries = (): Promise<string> => built(path('../modules/build.sh'))

export interface Parts {
  /** Root of the node's Debian, which has podman too. */
  readonly system: string
  /** Folder of kind. */
  readonly binaries: string
  /** Folder of kubectl and helm. */
  readonly controlPlane: string
  /** Where podman finds the node's image. */
  readonly store: string
}

/** What comes from elsewhere cannot be had here. What is made here and breaks is another error. */
export class NotToBeHad extends Error {
  override readonly name = 'NotToBeHad'
}

export const clusterParts = async (): Promise<Parts> => {
  const controlPlane = await controlPlaneBinaries()
  const binaries = await nodeBinaries()
  const mmdebstrap = await debian('bookworm', ['mmdebstrap'])
  if (mmdebstrap === undefined) throw new NotToBeHad('mmdebstrap of Debian could not be had')

  const systemKey = keyOf(readFileSync(path('system.sh'), 'utf8'))
  const system = join(kindCache(), `system-${systemKey}`)
  const tool = join(mmdebstrap.root, 'usr/bin/mmdebstrap')
  const makeSystem = '"$2" "$3" "$1/root"'
  if (!(await once(system, "a node's Debian (about 2 minutes)", makeSystem, path('system.sh'), tool)))
    throw new NotToBeHad("the packages of a node's Debian could not be had; the reason is above")

  const sources = ['node-image.ts', 'tags.ts', '../image/archive.ts'].map((name) => readFileSync(path(name), 'utf8'))
  const store = join(kindCache(), `node-${keyOf(...sources, systemKey, basename(binaries), basename(controlPlane))}`)
  const module = await must('go', ['list', '-m', '-f', '{{.Dir}}', 'sigs.k8s.io/kind'], {
    cwd: path('../modules/kind'),
  })
  const makeNode = '"$2" "$3" "$1/store" "$4" "$5" "$6" "$7"'
  const inputs = [
    process.execPath,
    path('node-image.ts'),
    join(system, 'root'),
    binaries,
    controlPlane,
    module.stdout.trim(),
  ]
  if (!(await once(store, "the node's image (about 1 minute)", makeNode, ...inputs)))
    throw new Error("the node's image could not be made; the reason is above")
  return { system: join(system, 'root'), binaries, controlPlane, store: join(store, 'store') }
}
