/** How fast the program is there, with the image's environment: its compile cache is filled when the image is built. */
import type { Bench } from '../bench.ts'
import { median, spreadOf } from '../figures.ts'
import type { Figure } from '../figures.ts'
import type { Sizes } from '../sizes.ts'

const startMs = async (bench: Bench): Promise<number> => {
  const before = performance.now()
  await bench.launchReady()
  const took = performance.now() - before
  await bench.stopOperator()
  return took
}

export const start = async (bench: Bench, sizes: Sizes): Promise<Figure[]> => {
  // Fills the cache.
  await startMs(bench)
  const times: number[] = []
  for (let run = 0; run < sizes.runs; run++) times.push(await startMs(bench))
  return [
    {
      ...{ name: 'start of the program until /readyz says yes', unit: 'ms', measured: median(times) },
      limit: { is: 'below', value: 1000 },
      note: spreadOf(times),
    },
  ]
}
