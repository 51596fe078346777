import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How late the event loop ran its timers, seconds. */
export interface Lag {
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly mean: number
}

const nanosecond = 1e-9

/**
 * Measures how late the event loop is: a blocked loop delays every timer, lease renewals too. Does not keep the process
 * alive.
 */
export class LagMonitor {
  readonly #histogram: ReturnType<typeof monitorEventLoopDelay>
  readonly #resolutionMs: number

  constructor(resolutionMs = 10) {
    this.#resolutionMs = resolutionMs
    this.#histogram = monitorEventLoopDelay({ resolution: resolutionMs })
    this.#histogram.enable()
  }

  /** The lag since the last `reset`; zeros where nothing was measured. */
  read(): Lag {
    const measured = this.#histogram
    if (measured.count === 0) return { p50: 0, p99: 0, max: 0, mean: 0 }
    return {
      p50: this.#late(measured.percentile(50)),
      p99: this.#late(measured.percentile(99)),
      max: this.#late(measured.max),
      mean: this.#late(measured.mean),
    }
  }

  reset(): void {
    this.#histogram.reset()
  }

  stop(): void {
    this.#histogram.disable()
  }

  /** The histogram holds whole intervals between two ticks, of which the resolution itself is not lateness. */
  #late(interval: number): number {
    return Math.max(0, interval * nanosecond - this.#resolutionMs / 1000)
  }
}
