/** What is left of a run on the page: how many connections each client had, and in which phase. */
import type { Load } from './load.ts'

export interface Stretch {
  readonly name: string
  /** ms since the epoch. */
  readonly since: number
}

/** A line for each client: taken and refused of each stretch, and the slowest of all. */
export const account = (
  title: string,
  load: Load,
  stretches: readonly Stretch[],
  until: number,
  clients: readonly string[] = load.names,
): string => {
  const rows = clients.map((client) => {
    const parts = stretches.map(({ name, since }, index) => {
      const { taken, refused } = load.tally(client, since, stretches[index + 1]?.since ?? until)
      return `${name} ${taken}${refused.length === 0 ? '' : ` (refused ${refused.length})`}`
    })
    const { taken, refused, slowestMs } = load.tally(client, stretches[0]?.since, until)
    const whole = `${taken} taken, ${refused.length} refused, slowest ${Math.round(slowestMs)} ms`
    return `  ${client.padEnd(16)} ${whole}: ${parts.join(', ')}`
  })
  return [title, ...rows].join('\n')
}
