/**
 * Images without a container tool: folders become the layers of an OCI image layout, which is at the same time what
 * `docker save` writes, so that podman, kind, docker and containerd all load it.
 */
import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../controlplane/harness/process.ts'

export interface Layer {
  /** What lies in it goes to the root of the image. */
  readonly folder: string
  /** `UID:GID` of every file; absent: as on disk. */
  readonly owner?: string
  /** Patterns of paths in the folder that stay out. */
  readonly without?: readonly string[]
}

/** The `config` of the OCI image specification that is used here. */
export interface ImageConfig {
  readonly User?: string
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>
  readonly Env?: readonly string[]
  readonly Entrypoint?: readonly string[]
  readonly Cmd?: readonly string[]
  readonly WorkingDir?: string
  readonly Labels?: Readonly<Record<string, string>>
  readonly StopSignal?: string
}

export interface Image {
  /** `NAME:TAG` */
  readonly name: string
  /** The lowest first. */
  readonly layers: readonly Layer[]
  readonly config: ImageConfig
}

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  /** Bytes. */
  readonly size: number
}

const digestOf = async (file: string): Promise<string> => {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return `sha256:${hash.digest('hex')}`
}

const pathOf = (digest: string): string => join('blobs', digest.replace(':', '/'))

const putJson = (layout: string, mediaType: string, value: unknown): Descriptor => {
  const text = JSON.stringify(value)
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`
  writeFileSync(join(layout, pathOf(digest)), text)
  return { mediaType, digest, size: Buffer.byteLength(text) }
}

/** The same folder gives the same bytes: names in order, and no time of its own. */
const putLayer = async (layout: string, { folder, owner, without = [] }: Layer): Promise<Descriptor> => {
  const file = join(layout, 'layer.tar')
  const [user, group] = owner?.split(':') ?? []
  const owned = user === undefined || group === undefined ? [] : [`--owner=${user}`, `--group=${group}`]
  const left = without.map((pattern) => `--exclude=./${pattern}`)
  const args = ['--sort=name', '--mtime=@0', '--numeric-owner', ...owned, ...left]
  await must('tar', ['--create', '--file', file, ...args, '--directory', folder, '.'])
  const digest = await digestOf(file)
  const { size } = statSync(file)
  renameSync(file, join(layout, pathOf(digest)))
  return { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size }
}

/** Writes the layout into the folder `layout`, and returns the digest of the image. */
export const writeLayout = async (layout: string, { name, layers, config }: Image): Promise<string> => {
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true })
  const blobs: Descriptor[] = []
  for (const layer of layers) blobs.push(await putLayer(layout, layer))
  const platform = { architecture: 'amd64', os: 'linux' }
  const configBlob = putJson(layout, 'application/vnd.oci.image.config.v1+json', {
    ...platform,
    config,
    // A layer that is not compressed has one digest for both.
    rootfs: { type: 'layers', diff_ids: blobs.map(({ digest }) => digest) },
  })
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = putJson(layout, mediaType, { schemaVersion: 2, mediaType, config: configBlob, layers: blobs })
  const annotations = {
    'io.containerd.image.name': name,
    'org.opencontainers.image.ref.name': name.replace(/^.*:/, ''),
  }
  const write = (file: string, value: unknown): void => writeFileSync(join(layout, file), JSON.stringify(value))
  write('oci-layout', { imageLayoutVersion: '1.0.0' })
  write('index.json', { schemaVersion: 2, manifests: [{ ...manifest, platform, annotations }] })
  write('manifest.json', [
    { Config: pathOf(configBlob.digest), RepoTags: [name], Layers: blobs.map(({ digest }) => pathOf(digest)) },
  ])
  return manifest.digest
}

/** One file of a layout. */
export const writeArchive = async (file: string, layout: string): Promise<void> => {
  const parts = ['oci-layout', 'index.json', 'manifest.json', 'blobs']
  await must('tar', ['--create', '--file', file, '--sort=name', '--mtime=@0', '--directory', layout, ...parts])
}
