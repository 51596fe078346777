/** Some hundred ECDSA certificates on one control plane: all at once, again, one alone, and nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isReady } from '../../../src/resources/conditions.ts'
import { databaseCertificates } from '../../../src/resources/database-certificate.ts'
import { workers } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { median, spreadOf, standardError } from '../figures.ts'
import type { Figure, Limit } from '../figures.ts'
import { measureBatch, measureStream } from '../issuance.ts'
import type { Batch } from '../issuance.ts'
import { certificate } from '../objects.ts'
import { rawLoop, templateOf } from '../raw.ts'
import type { RawResult, Template } from '../raw-loop.ts'
import type { Sizes } from '../sizes.ts'
import { atRest, restFigure } from './rest.ts'

export interface EcdsaResult {
  readonly figures: readonly Figure[]
  /** Medians of the batches, for the comparison with many certificates in one namespace. */
  readonly perSecond: number
  readonly cpu: number
}

/** One round of measurements, close together: the speed of a machine that others share drifts by a third within minutes. */
interface Pair {
  readonly raw: RawResult
  readonly created: Batch
  readonly renewed: Batch
  /** ms. */
  readonly single: readonly number[]
}

export const ecdsa = async (bench: Bench, sizes: Sizes, say: (text: string) => void): Promise<EcdsaResult> => {
  const template = await warmUp(bench, sizes)
  const pairs: Pair[] = []
  for (let run = 0; run < sizes.runs; run += 1) {
    pairs.push(await measurePair(bench, sizes, run, template, say))
    await bench.stopOperator()
  }
  const last = await measureRaw(bench, sizes, sizes.runs, template, say)
  await bench.launchReady()
  const streamed = await stream(bench, sizes.batch)
  const rest = await atRest(bench, bench.operator, sizes.restMs)
  await bench.stopOperator()

  const created = pairs.map((pair) => pair.created)
  const renewed = pairs.map((pair) => pair.renewed)
  const rawRates = pairs.map(({ raw }) => raw.perSecond)
  const rates = created.map(({ perSecond }) => perSecond)
  const renewRates = renewed.map(({ perSecond }) => perSecond)
  const ofRaw = pairs.map(({ raw, created: { perSecond } }, run) => {
    // The raw loop of the next round comes after this one's renewal.
    const after = pairs[run + 1]?.raw ?? last
    return (2 * perSecond) / (raw.perSecond + after.perSecond)
  })
  const ofCreation = pairs.map((pair) => pair.renewed.perSecond / pair.created.perSecond)
  const alone = median(pairs.flatMap(({ raw }) => raw.aloneMs))
  const single = pairs.flatMap((pair) => pair.single)
  const cpu = median(created.map((batch) => batch.cpu))
  const cpuLimit = asFastAs(6, reference.perSecond / median(rawRates), `raw loop of ${reference.perSecond}/s`)
  const n = sizes.batch
  return {
    perSecond: median(rates),
    cpu,
    figures: [
      { name: `raw loop, ${workers} at a time`, unit: '/s', measured: median(rawRates), note: spreadOf(rawRates) },
      { name: 'raw loop, one at a time', unit: 'ms', measured: alone },
      { name: `create ${n} ECDSA`, unit: '/s', measured: median(rates), note: spreadOf(rates) },
      {
        name: `create ${n} ECDSA, to the raw loop before and after`,
        unit: '',
        measured: median(ofRaw),
        limit: { is: 'at least', value: 0.75 },
        note: spreadOf(ofRaw),
      },
      ...perCertificate('create', created, cpuLimit),
      { name: `create ${n} ECDSA while they are being applied`, unit: '/s', measured: streamed.perSecond },
      { name: `renew ${n} ECDSA`, unit: '/s', measured: median(renewRates), note: spreadOf(renewRates) },
      {
        name: `renew ${n} ECDSA, to their creation just before`,
        unit: '',
        measured: median(ofCreation),
        limit: {
          is: 'at least',
          value: 1 - 2 * standardError(ofCreation),
          from: '1 less two standard errors',
        },
        note: spreadOf(ofCreation),
      },
      ...perCertificate('renew', renewed, cpuLimit),
      {
        name: 'a single certificate, apply to Ready, median',
        unit: 'ms',
        measured: median(single),
        limit: asFastAs(20, alone / reference.aloneMs, `raw round of ${reference.aloneMs} ms`),
        note: `fastest ${Math.min(...single).toFixed(1)}, slowest ${Math.max(...single).toFixed(1)}`,
      },
      restFigure(`at rest for ${sizes.restMs / 1000} s with ${n * sizes.runs} certificates`, rest),
    ],
  }
}

/** The raw loop of the machine for which limits are given in milliseconds (docs/adr/0024). */
const reference = { perSecond: 205, aloneMs: 8 }

/** A limit in ms, for a machine that is `slower` times as slow as the one it was given for; never a stricter one. */
const asFastAs = (ms: number, slower: number, than: string): Limit =>
  slower <= 1 ? { is: 'below', value: ms } : { is: 'below', value: ms * slower, from: `${ms} with a ${than}` }

const measureRaw = async (
  bench: Bench,
  sizes: Sizes,
  run: number,
  template: Template,
  say: (text: string) => void,
): Promise<RawResult> => {
  const raw = await rawLoop(bench, `raw-${run}`, [template], sizes.batch)
  say(`raw loop: ${raw.perSecond.toFixed(0)}/s, ${median(raw.aloneMs).toFixed(1)} ms alone`)
  return raw
}

const measurePair = async (
  bench: Bench,
  sizes: Sizes,
  run: number,
  template: Template,
  say: (text: string) => void,
): Promise<Pair> => {
  const raw = await measureRaw(bench, sizes, run, template, say)
  const operator = await bench.launchReady()
  await warmOperator(bench, `warm-${run}`, sizes)
  const single = await singles(bench, `single-${run}`, Math.ceil(sizes.singles / sizes.runs))
  say(`single: ${median(single).toFixed(1)} ms`)
  const namespace = `batch-${run}`
  await bench.namespace(namespace, { wait: true })
  const create = () => bench.createCertificates(namespace, sizes.batch)
  const created = await measureBatch(bench, operator, namespace, sizes.batch, create)
  say(`create: ${JSON.stringify(created)}`)
  // Right after it was created: a server that holds thousands of objects more is slower, and that is not what the two are compared for.
  const renew = () => bench.renewAll(namespace, 'again')
  const renewed = await measureBatch(bench, operator, namespace, sizes.batch, renew)
  say(`renew: ${JSON.stringify(renewed)}`)
  return { raw, created, renewed, single }
}

const perCertificate = (what: string, batches: readonly Batch[], cpuLimit: Limit): Figure[] => {
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
      limit: cpuLimit,
      note: spreadOf(cpus),
    },
  ]
}

/** Makes the template of the raw loop, and the code of the API server warm. */
const warmUp = async (bench: Bench, sizes: Sizes): Promise<Template> => {
  await bench.launchReady()
  await warmOperator(bench, 'warm', sizes)
  const template = await templateOf(bench, 'warm')
  await bench.stopOperator()
  return template
}

/** As many as are measured, as the raw loop does: compiling is over by then, which is a fifth of the time of the first 500. */
const warmOperator = async (bench: Bench, namespace: string, { batch }: Sizes): Promise<void> => {
  await bench.namespace(namespace, { wait: true })
  await bench.createCertificates(namespace, batch)
  await bench.settled(namespace, batch)
}

const stream = async (bench: Bench, count: number): Promise<Batch> => {
  await bench.namespace('stream', { wait: true })
  return measureStream(bench, bench.operator, 'stream', count, () => bench.createCertificates('stream', count))
}

/** From the moment a person applies one manifest until a watch of the server shows it Ready, ms. */
const singles = async (bench: Bench, namespace: string, count: number): Promise<number[]> => {
  const { admin } = bench
  await bench.namespace(namespace, { wait: true })
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
    const object = certificate(namespace, i)
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
