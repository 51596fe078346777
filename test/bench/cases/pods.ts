/** What the pods of the last `make e2e` in this checkout said of themselves. */
import { readUsage } from '../../kind/harness/usage.ts'
import type { Figure } from '../figures.ts'

export const pods = (say: (text: string) => void): Figure[] => {
  const usage = readUsage()
  if (usage === undefined) {
    say('no figures of real pods: `make e2e` has not run in this checkout')
    return []
  }
  const note = `make e2e, ${usage.commit}, ${usage.date.slice(0, 16)}Z`
  return usage.pods.flatMap(({ leads, memory, cpuSeconds, aliveSeconds, startSeconds }) => {
    const who = leads ? "the leader's pod" : 'the pod in reserve'
    const limit = { is: 'below', value: 512 * 1.048576, from: "the chart's limit" } as const
    return [
      { name: `${who}: memory`, unit: 'MB', measured: memory / 1e6, limit, note },
      {
        ...{ name: `${who}: processor`, unit: '% of one', measured: (100 * cpuSeconds) / aliveSeconds },
        note: `${cpuSeconds.toFixed(1)} s in ${aliveSeconds.toFixed(0)} s; ${note}`,
      },
      {
        name: `${who}: start until it listens`,
        unit: 'ms',
        measured: 1000 * startSeconds,
        limit: { is: 'below', value: 1000 },
        note,
      },
    ]
  })
}
