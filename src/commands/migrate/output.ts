/** Manifests on stdout, or as `DIR/NAMESPACE/KIND-NAME.yaml`. */

import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { KubeObject } from '../../cluster/port.ts'
import { CommandError, isSystemError } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import type { Migration } from './plan.ts'

const yamlOf = (object: KubeObject): string => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })

const objectsOf = ({ authorities, certificates }: Migration): KubeObject[] =>
  [...authorities, ...certificates].map(({ object }) => object)

export const writeStream = ({ stdout }: Io, migration: Migration): void => {
  stdout.write(objectsOf(migration).map(yamlOf).join('---\n'))
}

/** Names of Kubernetes objects are names of files. Rejects with CommandError where there is something already. */
export const writeFolder = async (root: string, migration: Migration): Promise<void> => {
  const present = await readdir(root).catch((error: unknown) => {
    if (isSystemError(error) && error.code === 'ENOENT') return []
    throw error
  })
  if (present.length > 0) throw new CommandError(`${root} is not empty: name a new folder with --out`)
  for (const object of objectsOf(migration)) {
    const folder = join(root, object.metadata.namespace ?? 'default')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, `${object.kind.toLowerCase()}-${object.metadata.name}.yaml`), yamlOf(object), {
      flag: 'wx',
    })
  }
}
