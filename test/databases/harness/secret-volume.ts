/** A folder that changes as the kubelet changes a Secret volume: all files at once, by one rename of the `..data` link. */
import {
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

export type Files = Readonly<Record<string, string | Uint8Array>>

export class SecretVolume {
  readonly folder: string
  #generation = 0

  constructor(folder: string, files: Files) {
    this.folder = folder
    mkdirSync(folder, { recursive: true })
    this.write(files)
  }

  /** Path of a key, as a container has it mounted. */
  path(key: string): string {
    return join(this.folder, key)
  }

  /**
   * As pkg/volume/util/atomic_writer.go of Kubernetes: a new folder of files, a new link to it under another name, one rename over
   * `..data`, then links for new keys and away with the old ones.
   */
  write(files: Files): void {
    this.#generation += 1
    const payload = `..2026_01_01_00_00_00.${String(this.#generation).padStart(10, '0')}`
    mkdirSync(join(this.folder, payload), { mode: 0o755 })
    // PostgreSQL takes a key of its own user only if nobody else can read it.
    for (const [key, bytes] of Object.entries(files))
      writeFileSync(join(this.folder, payload, key), bytes, { mode: 0o600 })
    const before = this.#payload()
    symlinkSync(payload, join(this.folder, '..data_tmp'))
    renameSync(join(this.folder, '..data_tmp'), join(this.folder, '..data'))
    const visible = new Set(readdirSync(this.folder).filter((name) => !name.startsWith('..')))
    for (const key of Object.keys(files))
      if (!visible.has(key)) symlinkSync(join('..data', key), join(this.folder, key))
    for (const key of visible) if (!Object.hasOwn(files, key)) unlinkSync(join(this.folder, key))
    if (before !== undefined) rmSync(join(this.folder, before), { recursive: true })
  }

  #payload(): string | undefined {
    try {
      return readlinkSync(join(this.folder, '..data'))
    } catch {
      return undefined
    }
  }
}
