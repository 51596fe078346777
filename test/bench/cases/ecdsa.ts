/** Some hundred ECDSA certificates on one control plane: all at once, again, one alone, and nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isReady } from '../../../src/resources/conditions.ts'
import { databaseCertificates } from '../../../src/resources/database-certificate.ts'
import type { Operator } from '../../controlplane/harness/index.ts'
import { workers } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { median, spreadOf } from '../figures.ts'
import type { Figure } from '../figures.ts'
import { measureBatch, measureStream } from '../issuance.ts'
import type { Batch } from '../issuance.ts'
import { certificate } from '../objects.ts'
import { rawLoop, templatesOf } from '../raw.ts'
import type { RawResult } from '../raw-loop.ts'
import type { Sizes } from '../sizes.ts'
import { atRest, restFigure } from './rest.ts'

export interface EcdsaResult {
  readonly figures: readonly Figure[]
  /** Medians of the batches, for the comparison with many certificates in one namespace. */
  readonly perSecond: number
  readonly cpu: number
}

export const ecdsa = async (bench: Bench, sizes: Sizes, say: (text: string) => void): Promise<EcdsaResult> => {
  const templates = await warmUp(bench)
  const raw: RawResult[] = []
  const measureRaw = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i += 1) {
      const result = await rawLoop(bench, `raw-${raw.length}`, templates, sizes.batch)
      say(`raw loop: ${result.perSecond.toFixed(0)}/s`)
      raw.push(result)
    }
  }
  await measureRaw(Math.ceil(sizes.runs / 2))
  const operator = await bench.launchReady()
  await bench.namespace('warm-again', { wait: true })
  await bench.createCertificates('warm-again', 100)
  await bench.settled('warm-again', 100)
  const { created, renewed } = await batches(bench, operator, sizes, say)
  const streamed = await stream(bench, operator, sizes.batch)
  const single = await singles(bench, sizes.singles)
  const rest = await atRest(bench, operator, sizes.restMs)
  await bench.stopOperator()
  await measureRaw(sizes.runs - raw.length)

  const rawRates = raw.map(({ perSecond }) => perSecond)
  const rates = created.map(({ perSecond }) => perSecond)
  const cpus = created.map(({ cpu }) => cpu)
  const [rawRate, rate, cpu] = [median(rawRates), median(rates), median(cpus)]
  const renewRates = renewed.map(({ perSecond }) => perSecond)
  const n = sizes.batch
  return {
    perSecond: rate,
    cpu,
    figures: [
      { name: `raw loop, ${workers} at a time`, unit: '/s', measured: rawRate, note: spreadOf(rawRates) },
      { name: 'raw loop, one at a time', unit: 'ms', measured: median(raw.flatMap(({ aloneMs }) => aloneMs)) },
      {
        name: `create ${n} ECDSA`,
        unit: '/s',
        measured: rate,
        limit: { is: 'at least', value: 0.75 * rawRate, from: '0.75 of the raw loop' },
        note: `${(rate / rawRate).toFixed(2)} of raw; ${spreadOf(rates)}`,
      },
      ...perCertificate('create', created, 6),
      { name: `create ${n} ECDSA while they are being applied`, unit: '/s', measured: streamed.perSecond },
      {
        name: `renew ${n} ECDSA`,
        unit: '/s',
        measured: median(renewRates),
        limit: { is: 'at least', value: rate, from: 'the rate of creation' },
        note: spreadOf(renewRates),
      },
      ...perCertificate('renew', renewed, 6),
      {
        name: 'a single certificate, apply to Ready, median',
        unit: 'ms',
        measured: median(single),
        limit: { is: 'below', value: 20 },
        note: `fastest ${Math.min(...single).toFixed(1)}, slowest ${Math.max(...single).toFixed(1)}`,
      },
      restFigure(`at rest for ${sizes.restMs / 1000} s with ${n * sizes.runs} certificates`, rest),
    ],
  }
}

const perCertificate = (what: string, batches: readonly Batch[], cpuLimit: number): Figure[] => {
  const worst = (of: (batch: Batch) => number): number => Math.max(...batches.map(of))
  const cpus = batches.map(({ cpu }) => cpu)
  const failed = batches.reduce((sum, batch) => sum + batch.failed, 0)
  return [
    {
      name: `${what}: object writes each`,
      unit: '',
      measured: worst(({ writes }) => writes),
      limit: { is: 'at most', value: 3 },
      note: `${worst(({ reads }) => reads).toFixed(2)} reads; ${failed} requests refused`,
    },
    {
      name: `${what}: events each`,
      unit: '',
      measured: worst(({ events }) => events),
      limit: { is: 'at most', value: 1 },
    },
    {
      name: `${what}: operator's CPU each`,
      unit: 'ms',
      measured: median(cpus),
      limit: { is: 'below', value: cpuLimit },
      note: spreadOf(cpus),
    },
  ]
}

/** Makes the templates of the raw loop, and the code of the API server warm. */
const warmUp = async (bench: Bench) => {
  await bench.launchReady()
  await bench.namespace('warm', { wait: true })
  await bench.createCertificates('warm', 100)
  await bench.settled('warm', 100)
  const templates = await templatesOf(bench, 'warm')
  await bench.stopOperator()
  return templates
}

/**
 * Each batch is renewed right after it was created: a server that holds thousands of objects more is slower, and that is
 * not what the two are compared for.
 */
const batches = async (bench: Bench, operator: Operator, sizes: Sizes, say: (text: string) => void) => {
  const [created, renewed]: [Batch[], Batch[]] = [[], []]
  for (let run = 0; run < sizes.runs; run += 1) {
    const namespace = `batch-${run}`
    await bench.namespace(namespace, { wait: true })
    const create = () => bench.createCertificates(namespace, sizes.batch)
    created.push(await measureBatch(bench, operator, namespace, sizes.batch, create))
    say(`create: ${JSON.stringify(created.at(-1))}`)
    const renew = () => bench.renewAll(namespace, 'again')
    renewed.push(await measureBatch(bench, operator, namespace, sizes.batch, renew))
    say(`renew: ${JSON.stringify(renewed.at(-1))}`)
  }
  return { created, renewed }
}

const stream = async (bench: Bench, operator: Operator, count: number): Promise<Batch> => {
  await bench.namespace('stream', { wait: true })
  return measureStream(bench, operator, 'stream', count, () => bench.createCertificates('stream', count))
}

/** From the moment a person applies one manifest until a watch of the server shows it Ready, ms. */
const singles = async ({ admin }: Bench, count: number): Promise<number[]> => {
  const namespace = 'batch-0'
  const times: number[] = []
  const stop = new AbortController()
  const waiting = new Map<string, () => void>()
  const { resourceVersion } = await admin.list(databaseCertificates, { namespace })
  const watch = (async () => {
    for await (const event of admin.watch(databaseCertificates, { namespace, resourceVersion, signal: stop.signal }))
      if (event.type === 'MODIFIED' && isReady(event.object)) waiting.get(event.object.metadata.name)?.()
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error
  })
  for (let i = 0; i < count; i += 1) {
    await sleep(200)
    const object = certificate(namespace, 90_000 + i)
    const ready = Promise.withResolvers<void>()
    waiting.set(object.metadata.name, ready.resolve)
    const begin = performance.now()
    await admin.apply(databaseCertificates, object, { fieldManager: 'bench' })
    await Promise.race([ready.promise, watch])
    times.push(performance.now() - begin)
  }
  stop.abort()
  await watch
  return times
}
