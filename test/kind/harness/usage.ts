/** What pods of the operator said of themselves; travels from `make e2e` to `make bench` in a file below build. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

export interface Usage {
  readonly commit: string
  readonly date: string
  readonly pods: readonly {
    readonly leads: boolean
    /** Resident, bytes. */
    readonly memory: number
    /** Of processor time, since its start. */
    readonly cpuSeconds: number
    readonly aliveSeconds: number
    /** From the start of the process until it listens. */
    readonly startSeconds: number
  }[]
}

const file = 'build/e2e/operator-pods.json'

export const writeUsage = (usage: Usage): void => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(usage, undefined, 2)}\n`)
}

/** Undefined where `make e2e` has not run in this checkout. */
export const readUsage = (): Usage | undefined =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Usage) : undefined
