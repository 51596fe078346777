/**
 * RSA: the thread pool is the limit, and the event loop must not notice. A key takes ten times the processor time of all the
 * rest, so the pool gets processors of its own and the API server and everybody else the others; the limit is what the same
 * number of threads makes there while the same three writes are sent for each key with ready-made bytes: the processors of
 * a small machine share more than their name says, and a pool beside a busy one makes fewer keys.
 */
import { fileURLToPath } from 'node:url'
import { must } from '../../controlplane/harness/index.ts'
import { threads, workers } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { spreadOf } from '../figures.ts'
import type { Figure } from '../figures.ts'
import { measureBatch } from '../issuance.ts'
import { metric } from '../metric.ts'
import { pinPool, share } from '../processors.ts'
import { rawRate, templateOf } from '../raw.ts'
import type { Sizes } from '../sizes.ts'

/** Certificates after which the code of the server is warm. */
const warmUp = 50
/** And that of an operator that was started again, or of the raw loop: its pool is there then. */
const again = 20

export const rsa = async (bench: Bench, sizes: Sizes, say: (text: string) => void): Promise<Figure[]> => {
  await bench.launchReady()
  await bench.namespace('rsa', { wait: true })
  await bench.createCertificates('rsa', warmUp, 0, 'RSA')
  await bench.settled('rsa', warmUp)
  const template = await templateOf(bench, 'rsa')
  await bench.stopOperator()
  const alone = await keyLoop(bench, sizes.rsa)
  const [pool, rates, lags]: [number[], number[], number[]] = [[], [], []]
  for (let run = 0; run < sizes.rsaRuns; run += 1) {
    const options = { rsaKeys: true, warmUp: again }
    const perSecond = await rawRate(bench, `raw-rsa-${run}`, [template], sizes.rsa, options)
    pool.push(perSecond)
    const operator = await bench.launchReady()
    const before = warmUp + run * (sizes.rsa + again)
    await bench.createCertificates('rsa', again, before, 'RSA')
    await bench.settled('rsa', before + again)
    await pinPool(operator.pid)
    // Reading the metrics begins a new span for the delay of the event loop.
    await operator.metrics()
    const present = before + again
    const create = () => bench.createCertificates('rsa', sizes.rsa, present, 'RSA')
    rates.push((await measureBatch(bench, operator, 'rsa', sizes.rsa, create, present)).perSecond)
    lags.push(1000 * metric(await operator.metrics(), 'nodejs_eventloop_lag_p99_seconds'))
    await bench.stopOperator()
    say(
      `RSA-2048: ${rates.at(-1)?.toFixed(1)}/s of ${perSecond.toFixed(1)}/s, event loop p99 ${lags.at(-1)?.toFixed(1)} ms`,
    )
  }
  // The time to find a prime varies by chance: the sum over all runs says more than the median of a few.
  const overall = (perSecond: readonly number[]): number =>
    perSecond.length / perSecond.reduce((sum, rate) => sum + 1 / rate, 0)
  return [
    {
      name: `RSA-2048 keys of ${threads} threads alone, on the pool's processors (${share.pool})`,
      unit: '/s',
      measured: alone,
    },
    {
      name: 'the same beside the three writes for each',
      unit: '/s',
      measured: overall(pool),
      note: spreadOf(pool),
    },
    {
      name: `create ${sizes.rsa} RSA-2048`,
      unit: '/s',
      measured: overall(rates),
      limit: { is: 'at least', value: 0.9 * overall(pool), from: '0.9 of the threads beside the writes' },
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

const keyLoopScript = fileURLToPath(new URL('../key-loop.ts', import.meta.url))

const keyLoop = async (bench: Bench, count: number): Promise<number> => {
  const env = { ...process.env, ...bench.environment }
  const command = ['-c', share.pool, process.execPath, keyLoopScript, String(count), String(workers)]
  const { stdout } = await must('taskset', command, { env })
  return Number(stdout)
}
