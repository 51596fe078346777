/** Nothing changes, so nothing may be written. */
import { setTimeout as sleep } from 'node:timers/promises'
import { writesOf } from '../../controlplane/harness/index.ts'
import type { Operator } from '../../controlplane/harness/index.ts'
import type { Bench } from '../bench.ts'
import type { Figure } from '../figures.ts'

export const restFigure = (name: string, writes: number): Figure => ({
  name,
  unit: 'writes',
  measured: writes,
  limit: { is: 'at most', value: 0 },
})

/** Writes of the operator while nobody changes anything. */
export const atRest = async ({ plane, chart }: Bench, operator: Operator, ms: number): Promise<number> => {
  // The last events are written in the background.
  await sleep(2_000)
  const since = Date.now()
  await sleep(ms)
  if (!operator.running) throw new Error('the operator ended while it was at rest')
  return writesOf(plane.auditLog(), { user: chart.user, since }).length
}
