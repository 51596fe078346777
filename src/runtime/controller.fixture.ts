import type { ControllerOptions, Reconcile, ReconcileContext } from './controller.ts'
import { Controller } from './controller.ts'
import { createLogger } from './log.ts'
import { ManualClock } from './manual-clock.ts'
import { createMetrics } from './metrics.ts'

interface Entry {
  readonly level: string
  readonly msg: string
  readonly object?: string
  readonly reason?: string
}

/** A controller on a manual clock, with what it logged and measured. */
export const setUp = (reconcile: Reconcile, options: Partial<ControllerOptions> = {}) => {
  const clock = new ManualClock()
  const entries: Entry[] = []
  const metrics = createMetrics()
  const log = createLogger({ level: 'debug', destination: { write: (line) => entries.push(JSON.parse(line)) }, clock })
  const controller = new Controller({
    name: 'test',
    reconcile,
    workers: 1,
    clock,
    random: () => 0,
    log,
    metrics: metrics.controller('test'),
    ...options,
  })
  /** The value of one sample line, such as `workqueue_depth{name="test",priority="user"}`. */
  const metric = async (sample: string): Promise<number> => {
    const line = (await metrics.registry.metrics()).split('\n').find((candidate) => candidate.startsWith(`${sample} `))
    return Number(line?.slice(sample.length + 1))
  }
  return { clock, controller, entries, metric }
}

export const total = (result: string): string =>
  `controller_runtime_reconcile_total{controller="test",result="${result}"}`
export const count = (name: string): string => `controller_runtime_${name}{controller="test"}`
export const never = (): Promise<never> => new Promise(() => undefined)
export const untilAborted = ({ signal }: ReconcileContext): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
