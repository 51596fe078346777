/** A folder that changes as the kubelet changes a Secret volume: all files at once, by one rename of the `..data` link. */
import {
  chmodSync,
  chownSync,
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
import { serverUser } from './server-user.ts'

export type Files = Readonly<Record<string, string | Uint8Array>>

/**
 * With `defaultMode: 0640` and an fsGroup the files are root's and the group may read them. Where the tests are not root's the
 * files belong to whoever runs them and the servers, whom PostgreSQL allows 0600 alone.
 */
const usualMode = serverUser === undefined ? 0o600 : 0o640

export class SecretVolume {
  readonly folder: string
  #generation = 0

  constructor(folder: string, files: Files, mode = usualMode) {
    this.folder = folder
    mkdirSync(folder, { recursive: true })
    this.write(files, mode)
  }

  /** Path of a key, as a container has it mounted. */
  path(key: string): string {
    return join(this.folder, key)
  }

  /**
   * As pkg/volume/util/atomic_writer.go of Kubernetes: a new folder of files, a new link to it under another name, one rename over
   * `..data`, then links for new keys and away with the old ones. What is mounted below stays (nested_volumes.go).
   */
  write(files: Files, mode = usualMode): void {
    this.#generation += 1
    const payload = `..2026_01_01_00_00_00.${String(this.#generation).padStart(10, '0')}`
    mkdirSync(join(this.folder, payload), { mode: 0o755 })
    for (const [key, bytes] of Object.entries(files)) {
      const path = join(this.folder, payload, key)
      writeFileSync(path, bytes, { mode: 0o600 })
      if (serverUser !== undefined) chownSync(path, 0, serverUser.fsGroup)
      chmodSync(path, mode)
    }
    const before = this.#payload()
    const former = before === undefined ? [] : readdirSync(join(this.folder, before))
    symlinkSync(payload, join(this.folder, '..data_tmp'))
    renameSync(join(this.folder, '..data_tmp'), join(this.folder, '..data'))
    for (const key of Object.keys(files))
      if (!former.includes(key)) symlinkSync(join('..data', key), join(this.folder, key))
    for (const key of former) if (!Object.hasOwn(files, key)) unlinkSync(join(this.folder, key))
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
