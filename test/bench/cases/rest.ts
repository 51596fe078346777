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

/**
 * Writes of the operator while nobody changes anything; of `namespace` alone where others are not at rest: ten minutes after a renewal
 * its replaced ledger entry is marked.
 */
export const atRest = async (
  { plane, chart }: Bench,
  operator: Operator,
  ms: number,
  namespace?: string,
): Promise<number> => {
  // The last events are written in the background.
  await sleep(2_000)
  const since = Date.now()
  await sleep(ms)
  if (!operator.running) throw new Error('the operator ended while it was at rest')
  const writes = writesOf(plane.auditLog(), { user: chart.user, since })
  return writes.filter(({ objectRef }) => namespace === undefined || objectRef?.namespace === namespace).length
}
