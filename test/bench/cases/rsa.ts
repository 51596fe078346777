/**
 * RSA: the thread pool is the limit, and the event loop must not notice. A key takes ten times the processor time of all the
 * rest, so the pool gets processors of its own and the API server and everybody else the others; the limit is what the same
 * number of threads makes on the pool's processors when nobody asks for anything but keys.
 */
import { fileURLToPath } from 'node:url'
import { must, writesOf } from '../../controlplane/harness/index.ts'
import { threads, workers } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { spreadOf } from '../figures.ts'
import type { Figure } from '../figures.ts'
import { metric } from '../metric.ts'
import { pinPool, share } from '../processors.ts'
import type { Sizes } from '../sizes.ts'

/** Certificates after which the code is warm and the pool there. */
const warmUp = 50

export const rsa = async (bench: Bench, sizes: Sizes, say: (text: string) => void): Promise<Figure[]> => {
  const operator = await bench.launchReady()
  await bench.namespace('rsa', { wait: true })
  await bench.createCertificates('rsa', warmUp, 0, 'RSA')
  await bench.settled('rsa', warmUp)
  await pinPool(operator.pid)
  const [pool, rates, lags]: [number[], number[], number[]] = [[], [], []]
  for (let run = 0; run < sizes.rsaRuns; run += 1) {
    pool.push(await keyLoop(bench, sizes.rsa))
    // Reading the metrics begins a new span for the delay of the event loop.
    await operator.metrics()
    const count = warmUp + sizes.rsa * (run + 1)
    const create = () => bench.createCertificates('rsa', sizes.rsa, count - sizes.rsa, 'RSA')
    const since = Date.now()
    await create()
    const batch = await settledSince(bench, count, sizes.rsa, since)
    rates.push(batch)
    lags.push(1000 * metric(await operator.metrics(), 'nodejs_eventloop_lag_p99_seconds'))
    say(`RSA-2048: ${batch.toFixed(1)}/s of ${pool.at(-1)?.toFixed(1)}/s, event loop p99 ${lags.at(-1)?.toFixed(1)} ms`)
  }
  await bench.stopOperator()
  // The time to find a prime varies by chance: the sum over all runs says more than the median of a few.
  const overall = (perSecond: readonly number[]): number =>
    perSecond.length / perSecond.reduce((sum, rate) => sum + 1 / rate, 0)
  return [
    {
      name: `RSA-2048 keys of ${threads} threads alone, on the pool's processors (${share.pool})`,
      unit: '/s',
      measured: overall(pool),
      note: spreadOf(pool),
    },
    {
      name: `create ${sizes.rsa} RSA-2048`,
      unit: '/s',
      measured: overall(rates),
      limit: { is: 'at least', value: 0.9 * overall(pool), from: '0.9 of the threads alone' },
      note: `${(overall(rates) / overall(pool)).toFixed(2)} of the threads; ${spreadOf(rates)}`,
    },
    {
      name: 'event-loop delay meanwhile, p99',
      unit: 'ms',
      measured: Math.max(...lags),
      limit: { is: 'below', value: 50 },
      note: spreadOf(lags),
    },
  ]
}

const settledSince = async (bench: Bench, total: number, count: number, since: number): Promise<number> => {
  await bench.settled('rsa', total)
  const { plane, chart } = bench
  const written = writesOf(plane.auditLog(), { user: chart.user, since })
  const ends = written.flatMap(({ objectRef, stageTimestamp }) =>
    objectRef?.subresource === 'status' ? [Date.parse(stageTimestamp)] : [],
  )
  return (count * 1000) / (Math.max(...ends) - since)
}

const keyLoopScript = fileURLToPath(new URL('../key-loop.ts', import.meta.url))

const keyLoop = async (bench: Bench, count: number): Promise<number> => {
  const env = { ...process.env, ...bench.environment }
  const command = ['-c', share.pool, process.execPath, keyLoopScript, String(count), String(workers)]
  const { stdout } = await must('taskset', command, { env })
  return Number(stdout)
}
