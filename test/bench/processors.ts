/** Which processors a process may use: a CPU list as taskset(1) takes it. */
import { availableParallelism } from 'node:os'
import { must } from '../controlplane/harness/index.ts'

const all = availableParallelism()
const half = Math.max(1, Math.floor(all / 2))
const list = (first: number, last: number): string => (first === last ? String(first) : `${first}-${last}`)

/** The first half for the operator, the rest for the API server, etcd and the program that measures. */
export const share = { operator: list(0, half - 1), server: list(Math.min(half, all - 1), all - 1) } as const

/** All threads that the process has; those it starts later take after them. */
export const pin = async (pid: number, processors: string): Promise<void> => {
  await must('taskset', ['-a', '-c', '-p', processors, String(pid)])
}

/** Whatever `use` starts, and this process, keep to the server's share meanwhile. */
export const onServersProcessors = async <R>(use: () => Promise<R>): Promise<R> => {
  await pin(process.pid, share.server)
  try {
    return await use()
  } finally {
    await pin(process.pid, list(0, all - 1))
  }
}
