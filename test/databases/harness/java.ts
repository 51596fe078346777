/** Programs in a JVM: small heaps, and names that lead to the loopback. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Jvm {
  readonly classPath: string
  readonly heapMiB: number
  /** A file as /etc/hosts; it alone is asked. */
  readonly hosts?: string
  readonly options?: readonly string[]
}

/** Command and arguments of the class. */
export const java = (jvm: Jvm, main: string, ...args: readonly string[]): readonly [string, ...string[]] => [
  'java',
  ...['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xss512k', `-Xmx${jvm.heapMiB}m`],
  ...(jvm.hosts === undefined ? [] : [`-Djdk.net.hosts.file=${jvm.hosts}`]),
  ...(jvm.options ?? []),
  ...['-cp', jvm.classPath, main, ...args],
]

/** Lines of a hosts file, all of the loopback. */
export const hostsFile = (path: string, names: readonly string[]): string => {
  writeFileSync(path, ['localhost', ...names].map((name) => `127.0.0.1 ${name}\n`).join(''))
  return path
}

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

type Program = readonly [main: string, ...args: string[]]

/** A folder of commands under the names that the vendor's scripts have: name → class and its first arguments. */
export const javaTools = (folder: string, jvm: Jvm, programs: Readonly<Record<string, Program>>): string => {
  mkdirSync(folder, { recursive: true })
  for (const [name, program] of Object.entries(programs)) {
    const path = join(folder, name)
    writeFileSync(
      path,
      `#!/bin/sh\nexec ${java(jvm, ...program)
        .map(quoted)
        .join(' ')} "$@"\n`,
    )
    chmodSync(path, 0o755)
  }
  return folder
}
