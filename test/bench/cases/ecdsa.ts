/** Some hundred ECDSA certificates on one control plane: all at once, again, one alone, and nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isReady } from '../../../src/resources/conditions.ts'
import { databaseCertificates } from '../../../src/resources/database-certificate.ts'
import { workers } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { median, spreadOf, standardError } from '../figures.ts'
import type { Figure, Limit } from '../figures.ts'
import { measureBatch, measureStream, warmOperator } from '../issuance.ts'
import type { Batch } from '../issuance.ts'
import { certificate, certificateName, numbers } from '../objects.ts'
import { RawLoop, templateOf } from '../raw.ts'
import type { Template } from '../raw-loop.ts'
import type { Sizes } from '../sizes.ts'
import { atRest, restFigure } from './rest.ts'

export interface EcdsaResult {
  readonly figures: readonly Figure[]
  /** Medians of the batches, for the comparison with many certificates in one namespace. */
  readonly perSecond: number
  readonly cpu: number
}

/** One run, each measurement right after the other: the speed of a machine that others share drifts by a third within minutes. */
interface Run {
  readonly pairs: readonly Pair[]
  /** ms. */
  readonly single: readonly number[]
  readonly aloneMs: readonly number[]
}

interface Pair {
  readonly created: Batch
  /** Rounds of the raw loop a second: as many just before and just after. */
  readonly raw: number
  /** What was created, once more. */
  readonly renewed: Batch
  /** Rounds a second of the raw loop, of what it created last. */
  readonly rawRenewed: number
}

export const ecdsa = async (bench: Bench, sizes: Sizes, say: (text: string) => void): Promise<EcdsaResult> => {
  const templates = await warmUp(bench, sizes)
  const runs: Run[] = []
  for (let run = 0; run < sizes.runs; run += 1) runs.push(await measureRun(bench, sizes, run, templates, say))
  await bench.launchReady()
  const streamed = await stream(bench, sizes.batch)
  const rest = await atRest(bench, bench.operator, sizes.restMs)
  await bench.stopOperator()

  const pairs = runs.flatMap((run) => run.pairs)
  const created = pairs.map((pair) => pair.created)
  const renewed = pairs.map((pair) => pair.renewed)
  const rawRates = pairs.map(({ raw }) => raw)
  const rates = created.map(({ perSecond }) => perSecond)
  const renewRates = renewed.map(({ perSecond }) => perSecond)
  const ofRaw = pairs.map((pair) => pair.created.perSecond / pair.raw)
  const ofCreation = pairs.map((pair) => pair.renewed.perSecond / pair.created.perSecond)
  const rawOfCreation = pairs.map(({ raw, rawRenewed }) => rawRenewed / raw)
  const alone = median(runs.flatMap(({ aloneMs }) => aloneMs))
  const single = runs.flatMap((run) => run.single)
  const cpu = median(created.map((batch) => batch.cpu))
  const cpuLimit = asFastAs(6, reference.perSecond / median(rawRates), `raw loop of ${reference.perSecond}/s`)
  const n = sizes.batch
  const rested = n * sizes.pairs * sizes.runs
  return {
    perSecond: median(rates),
    cpu,
    figures: [
      { name: `raw loop, ${workers} at a time`, unit: '/s', measured: median(rawRates), note: spreadOf(rawRates) },
      {
        name: 'raw loop, the same again, to its creation',
        unit: '',
        measured: median(rawOfCreation),
        note: spreadOf(rawOfCreation),
      },
      { name: 'raw loop, one at a time', unit: 'ms', measured: alone },
      { name: `create ${n} ECDSA`, unit: '/s', measured: median(rates), note: spreadOf(rates) },
      {
        name: `create ${n} ECDSA, to the raw loop just before and after`,
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
          value: Math.min(1, median(rawOfCreation)) - 2 * errorOfDifference(ofCreation, rawOfCreation),
          from: 'as the raw loop, less two standard errors',
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
      restFigure(`at rest for ${sizes.restMs / 1000} s with ${rested} certificates`, rest),
    ],
  }
}

/** The raw loop of the machine for which limits are given in milliseconds (docs/adr/0024). */
const reference = { perSecond: 205, aloneMs: 8 }

/** A limit in ms, for a machine that is `slower` times as slow as the one it was given for; never a stricter one. */
const asFastAs = (ms: number, slower: number, than: string): Limit =>
  slower <= 1 ? { is: 'below', value: ms } : { is: 'below', value: ms * slower, from: `${ms} with a ${than}` }

/** Of the difference of two means. */
const errorOfDifference = (a: readonly number[], b: readonly number[]): number =>
  Math.hypot(standardError(a), standardError(b))

/** Besides the loop, and while it is at it, the operator has nothing to do: it looks at its own namespaces only. */
const measureRun = async (
  bench: Bench,
  sizes: Sizes,
  run: number,
  templates: readonly Template[],
  say: (text: string) => void,
): Promise<Run> => {
  const { batch, pairs: count } = sizes
  const lonely = Math.ceil(sizes.singles / sizes.runs)
  const warming = 2 * batch
  const loop = await RawLoop.start(bench, `raw-${run}`, templates, warming + 2 * count * batch + 2 * lonely)
  await loop.warmUp(warming)
  const [warm, alone, namespaces] = [`warm-${run}`, `single-${run}`, numbers(count).map((at) => `batch-${run}-${at}`)]
  const operator = await bench.launchReady([`--namespaces=${[warm, alone, ...namespaces].join(',')}`])
  await warmOperator(bench, warm, warming)
  const before = await loop.alone(lonely)
  const single = await singles(bench, alone, lonely)
  const aloneMs = [...before, ...(await loop.alone(lonely))]
  say(`single: ${median(single).toFixed(1)} ms; raw loop ${median(aloneMs).toFixed(1)} ms`)
  const pairs: Pair[] = []
  for (const namespace of namespaces) {
    await bench.namespace(namespace, { wait: true })
    const measured = (prepare: () => Promise<void>) => measureBatch(bench, operator, namespace, batch, prepare)
    const first = await loop.create(batch)
    const created = await measured(() => bench.createCertificates(namespace, batch))
    const second = await loop.create(batch)
    say(`create: ${JSON.stringify(created)}; raw loop: ${first.toFixed(0)}/s, ${second.toFixed(0)}/s`)
    // Right after it was created: a server that holds thousands of objects more is slower, and that is not what the two are compared for.
    const renewed = await measured(() => bench.renewAll(namespace, 'again'))
    const rawRenewed = await loop.renew(batch)
    say(`renew: ${JSON.stringify(renewed)}; raw loop: ${rawRenewed.toFixed(0)}/s`)
    pairs.push({ created, raw: 2 / (1 / first + 1 / second), renewed, rawRenewed })
  }
  await bench.stopOperator()
  await loop.stop()
  return { pairs, single, aloneMs }
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

/** Makes the templates of the raw loop, and the code of the API server warm. */
const warmUp = async (bench: Bench, sizes: Sizes): Promise<readonly Template[]> => {
  await bench.launchReady()
  await warmOperator(bench, 'warm', sizes.batch)
  const templates = [await templateOf(bench, 'warm'), await templateOf(bench, 'warm', certificateName(1))]
  await bench.stopOperator()
  return templates
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
