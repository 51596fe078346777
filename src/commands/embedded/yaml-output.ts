/** Secrets and ConfigMaps as manifests: `OUT/<namespace>/secret/<name>.yaml`, for `kubectl apply` or a sealed repository. */
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { KubeObject } from '../../cluster/port.ts'
import type { OutputObject } from './output.ts'
import { checkOutput } from './output.ts'

const manifestOf = (object: KubeObject, { data, kind }: OutputObject): unknown => {
  const { annotations, labels, name, namespace } = object.metadata
  const type = (object as { readonly type?: string }).type
  const encoded = Object.fromEntries([...data].map(([key, bytes]) => [key, Buffer.from(bytes).toString('base64')]))
  const contents =
    kind === 'secret'
      ? // A CA's Secret without its key is no TLS Secret any more.
        { type: type === 'kubernetes.io/tls' && !data.has('tls.key') ? 'Opaque' : type, data: encoded }
      : { data: (object as { data?: unknown }).data, binaryData: (object as { binaryData?: unknown }).binaryData }
  return { apiVersion: 'v1', kind: object.kind, metadata: { name, namespace, labels, annotations }, ...contents }
}

/** @throws OutputError for a name that cannot be that of a file. */
export const writeYaml = async (root: string, object: KubeObject, output: OutputObject): Promise<void> => {
  checkOutput(output)
  const folder = join(root, output.namespace, output.kind)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, `${output.name}.yaml`)
  const fresh = join(folder, `.${output.name}.yaml.new`)
  await writeFile(fresh, stringify(manifestOf(object, output), { lineWidth: 0 }), { mode: 0o600 })
  await rename(fresh, path)
}
