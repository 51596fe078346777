/**
 * Secrets and ConfigMaps as files: `OUT/<namespace>/secret/<name>/<key>`.
 *
 * `OUT/<namespace>/secret/<name>` is a symbolic link to a folder of one generation below `OUT/.generations`, and a new
 * generation takes its place in one rename, as the kubelet does with volumes: who opens the folder, or resolves the
 * link once, sees certificate and key of one issuance, never a mixture. Folders are 0700, files of Secrets 0600.
 */
import { createHash } from 'node:crypto'
import type { Dirent } from 'node:fs'
import {
  access,
  chmod,
  constants,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join, relative } from 'node:path'
import { CommandError, systemErrorText } from '../shared/failures.ts'

export interface OutputObject {
  readonly kind: 'secret' | 'configmap'
  readonly namespace: string
  readonly name: string
  readonly data: ReadonlyMap<string, Uint8Array>
}

/** Something that is not ours stands where a file should go; the message is for a person. */
export class OutputError extends CommandError {
  override readonly name = 'OutputError'
}

const generations = '.generations'
const nameForm = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/
const keyForm = /^[-._a-zA-Z0-9]{1,253}$/

/** The cluster checks names, too; but here a wrong one would write outside of the folder. */
export const checkOutput = ({ namespace, name, data }: OutputObject): void => {
  for (const part of [namespace, name])
    if (!nameForm.test(part) || part.includes('..')) throw new OutputError(`"${part}" cannot be the name of a folder`)
  for (const key of data.keys())
    if (!keyForm.test(key) || key === '.' || key.startsWith('..'))
      throw new OutputError(`"${key}" in ${namespace}/${name} cannot be the name of a file`)
}

const digestOf = (data: OutputObject['data']): string => {
  const hash = createHash('sha256')
  for (const [key, bytes] of [...data].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${key.length}:${key}:${bytes.length}:`).update(bytes)
  return hash.digest('hex').slice(0, 16)
}

const absent = (error: unknown): undefined => {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  throw error
}

/** Makes the folder `root`, and sees whether something can be written to it. @throws OutputError */
export const makeOutput = async (root: string): Promise<void> => {
  try {
    await mkdir(root, { recursive: true, mode: 0o700 })
    if (!(await stat(root)).isDirectory()) throw new OutputError(`${root} is a file: name a folder with --out`)
    await access(root, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    if (error instanceof OutputError) throw error
    throw new OutputError(`cannot write to ${root}: ${systemErrorText(error)}; name another folder with --out`, {
      cause: error,
    })
  }
}

export class OutputFolder {
  readonly root: string
  readonly #suffix: () => string

  /** `suffix` gives each generation a name of its own. */
  constructor(root: string, suffix: () => string) {
    this.root = root
    this.#suffix = suffix
  }

  pathOf({ kind, namespace, name }: Omit<OutputObject, 'data'>): string {
    return join(this.root, namespace, kind, name)
  }

  /** Makes the folder, and sees whether something can be written to it. @throws OutputError */
  prepare(): Promise<void> {
    return makeOutput(this.root)
  }

  /** Changes when somebody changes, replaces or removes the object's files; costs no reading of them. */
  async signatureOf({ kind, namespace, name }: Omit<OutputObject, 'data'>): Promise<string> {
    const path = this.pathOf({ kind, namespace, name })
    const target = await readlink(path)
    const names = (await readdir(path)).toSorted()
    const files = names.map(async (file) => {
      const { ctimeMs, ino, size } = await lstat(join(path, file))
      return `${file} ${ino} ${size} ${ctimeMs}`
    })
    return [target, ...(await Promise.all(files))].join('\n')
  }

  /** Writes the object unless it stands there already. Returns whether it wrote. @throws OutputError */
  async write(object: OutputObject): Promise<boolean> {
    checkOutput(object)
    const path = this.pathOf(object)
    const digest = digestOf(object.data)
    const former = await this.#generationAt(path)
    if (former !== undefined && former.startsWith(digest) && (await this.#holds(object, former))) return false
    const parent = await this.#folders(object.namespace, object.kind)
    const store = await this.#folders(generations, object.namespace, object.kind, object.name)
    const generation = `${digest}-${this.#suffix()}`
    await this.#fill(join(store, generation), object)
    // A link beside the old one, and a rename over it: there is no moment without a link, and none with half a folder.
    const fresh = join(parent, `.${object.name}.${generation}`)
    await symlink(relative(parent, join(store, generation)), fresh)
    await rename(fresh, path)
    await this.#sweep(store, generation)
    return true
  }

  /** Takes the object's files away. What is not ours stays. */
  async remove(object: Omit<OutputObject, 'data'>): Promise<void> {
    checkOutput({ ...object, data: new Map() })
    const path = this.pathOf(object)
    if ((await this.#generationAt(path)) === undefined) return
    await rm(path)
    await rm(join(this.root, generations, object.namespace, object.kind, object.name), { recursive: true, force: true })
  }

  /** Takes away every object of ours that is not in `wanted` (paths as `pathOf` gives them), from former runs. */
  async keepOnly(wanted: ReadonlySet<string>): Promise<void> {
    const listed = async (path: string): Promise<Dirent[]> =>
      (await readdir(path, { withFileTypes: true }).catch(absent)) ?? []
    for (const namespace of await listed(join(this.root, generations)))
      for (const kind of ['secret', 'configmap'] as const)
        for (const { name } of await listed(join(this.root, generations, namespace.name, kind))) {
          const object = { kind, namespace: namespace.name, name }
          if (!wanted.has(this.pathOf(object))) await this.remove(object)
        }
  }

  /** The generation a link of ours points to; undefined where there is none. @throws OutputError for anything else. */
  async #generationAt(path: string): Promise<string | undefined> {
    const found = await lstat(path).catch(absent)
    if (!found) return undefined
    const target = found.isSymbolicLink() ? await readlink(path) : undefined
    const parts = target?.split('/') ?? []
    if (!parts.includes(generations))
      throw new OutputError(
        `${path} is in the way: it was not made by dbtls; move it elsewhere, or choose another --out`,
      )
    return parts.at(-1)
  }

  async #holds({ kind, namespace, name, data }: OutputObject, generation: string): Promise<boolean> {
    const folder = join(this.root, generations, namespace, kind, name, generation)
    const names = await readdir(folder).catch(() => [])
    if (names.length !== data.size) return false
    for (const [key, bytes] of data) {
      const stored = await readFile(join(folder, key)).catch(() => undefined)
      if (!stored?.equals(bytes)) return false
    }
    return true
  }

  /** Makes folders one by one and refuses links among them: a link could lead out of the output folder. */
  async #folders(...names: readonly string[]): Promise<string> {
    await mkdir(this.root, { recursive: true, mode: 0o700 })
    let path = this.root
    for (const name of names) {
      path = join(path, name)
      await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      })
      if (!(await lstat(path)).isDirectory()) throw new OutputError(`${path} is in the way: it is not a folder`)
    }
    return path
  }

  async #fill(folder: string, { kind, data }: OutputObject): Promise<void> {
    await mkdir(folder, { mode: 0o700 })
    const mode = kind === 'secret' ? 0o600 : 0o644
    for (const [key, bytes] of data) {
      await writeFile(join(folder, key), bytes, { mode, flag: 'wx' })
      // The umask may have taken away what a ConfigMap's file should have.
      await chmod(join(folder, key), mode)
    }
  }

  async #sweep(store: string, current: string): Promise<void> {
    for (const name of await readdir(store))
      if (name !== current) await rm(join(store, name), { recursive: true, force: true })
  }
}
