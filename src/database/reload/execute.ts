/** Has one server run the statements by which it reads its files again. Each driver is loaded when it is first needed. */

import type { Clock } from '../../runtime/clock.ts'
import { heardBeyond } from './bound.ts'
import { faultOf } from './fault.ts'
import type { Driver, Order } from './order.ts'
import { ReloadError } from './reload-error.ts'

// A package is CommonJS, which could not be imported on demand itself: see scripts/build.ts.
const drivers = {
  mysql: async () => (await import('./drivers/mysql.ts')).execute,
  postgresql: async () => (await import('./drivers/postgresql.ts')).execute,
  redis: async () => (await import('./drivers/redis.ts')).execute,
  mongodb: async () => (await import('./drivers/mongodb.ts')).execute,
} as const satisfies Readonly<Record<string, () => Promise<Driver>>>

/** Dialects that statements can be sent in. */
export type StatementDialect = keyof typeof drivers

export const takesStatements = (dialect: string): dialect is StatementDialect => Object.hasOwn(drivers, dialect)

/** An answer is a few lines, and drivers keep what they are sent until there is an end of it. */
const mostBytes = 1 << 20

export interface ExecuteOptions {
  readonly clock: Clock
  /** For all of it, ms. Default 15000. */
  readonly totalMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Rejects with ReloadError alone, within the time given, and leaves no connection behind. */
export const execute = async (
  dialect: StatementDialect,
  order: Order,
  { clock, totalMs = 15_000, signal }: ExecuteOptions,
): Promise<void> => {
  const abort = new AbortController()
  const onAbort = (): void => abort.abort(new ReloadError('Aborted', 'it was called off'))
  if (signal?.aborted === true) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  const timer = clock.setTimer(totalMs, () =>
    abort.abort(new ReloadError('TimedOut', `the server was not done within ${totalMs / 1000} s`)),
  )
  try {
    const driver = await drivers[dialect]()
    abort.signal.throwIfAborted()
    await heardBeyond(
      { clock, mostBytes, signal: abort.signal },
      () => driver(order, abort.signal),
      () => abort.abort(new ReloadError('WrongProtocol', `the server said more than ${mostBytes >> 20} MiB`)),
    )
  } catch (error) {
    throw abort.signal.aborted ? (abort.signal.reason as ReloadError) : faultOf(error, order)
  } finally {
    timer.cancel()
    signal?.removeEventListener('abort', onAbort)
  }
}
