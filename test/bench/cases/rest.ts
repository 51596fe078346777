/** Nothing changes, so nothing may be written. */
import { setTimeout as sleep } from 'node:timers/promises'
import { countRequests, writesOf } from '../../controlplane/harness/index.ts'
import type { AuditLine, Operator } from '../../controlplane/harness/index.ts'
import type { Bench } from '../bench.ts'
import type { Figure } from '../figures.ts'

export const restFigure = (name: string, writes: readonly AuditLine[]): Figure => ({
  name,
  unit: 'writes',
  measured: writes.length,
  limit: { is: 'at most', value: 0 },
  note: [...countRequests(writes, {})].map(([request, count]) => `${count} ${request}`).join(', '),
})

/** Writes of the operator while nobody changes anything. */
export const atRest = async (bench: Bench, operator: Operator, ms: number): Promise<readonly AuditLine[]> => {
  const { plane, chart } = bench
  // Thousands of events may be left: they are sent one at a time, after the work.
  await bench.quiet()
  const since = Date.now()
  await sleep(ms)
  if (!operator.running) throw new Error('the operator ended while it was at rest')
  return writesOf(plane.auditLog(), { user: chart.user, since })
}
