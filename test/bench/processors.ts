/** Which processors a thread may use: a CPU list as taskset(1) takes it. */
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { must } from '../controlplane/harness/index.ts'

const all = availableParallelism()
const half = Math.max(1, Math.floor(all / 2))
const list = (first: number, last: number): string => (first === last ? String(first) : `${first}-${last}`)

/** The first half for a thread pool, the rest for everything else. */
export const share = { pool: list(0, half - 1), rest: list(Math.min(half, all - 1), all - 1) } as const

/** Of one thread, or of `wholeProcess`: also those that it starts later. */
const pin = async (id: number | string, processors: string, wholeProcess = false): Promise<void> => {
  await must('taskset', [...(wholeProcess ? ['-a'] : []), '-c', '-p', processors, String(id)])
}

/** The pool of a Node process, which has begun to work: the names of its threads are libuv's. */
export const pinPool = async (pid: number): Promise<void> => {
  const isPool = (task: string): boolean =>
    readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8').trim() === 'libuv-worker'
  const pool = readdirSync(`/proc/${pid}/task`).filter(isPool)
  if (pool.length === 0) throw new Error(`process ${pid} has no thread pool yet`)
  for (const thread of pool) await pin(thread, share.pool)
}

/** Whatever `use` starts, and this process, keep off the pool's share meanwhile. */
export const besidePool = async <R>(use: () => Promise<R>): Promise<R> => {
  await pin(process.pid, share.rest, true)
  try {
    return await use()
  } finally {
    await pin(process.pid, list(0, all - 1), true)
  }
}
