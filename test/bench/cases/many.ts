/** Thousands of certificates in one namespace: what each costs, memory, rest, and a restart. */
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, selectRequests, writesOf } from '../../controlplane/harness/index.ts'
import type { Operator } from '../../controlplane/harness/index.ts'
import type { Bench } from '../bench.ts'
import type { Figure } from '../figures.ts'
import { batchOf } from '../issuance.ts'
import { cpuMs, residentMB } from '../machine.ts'
import { metric } from '../metric.ts'
import type { Sizes } from '../sizes.ts'
import { atRest, restFigure } from './rest.ts'

const namespace = 'many'

/** `few`: rate and CPU of a batch of some hundred, the measure of what each may cost here. */
export const many = async (
  bench: Bench,
  sizes: Sizes,
  few: { readonly perSecond: number; readonly cpu: number } | undefined,
  say: (text: string) => void,
): Promise<Figure[]> => {
  const n = sizes.many
  // The CA first: certificates that wait for one are told so, which is a write of another story.
  await bench.launchReady()
  await bench.namespace(namespace, { wait: true })
  await bench.stopOperator()
  await bench.createCertificates(namespace, n)
  const from = Date.now()
  const operator = await bench.launchReady()
  const before = cpuMs(operator.pid)
  await bench.settled(namespace, n)
  const batch = batchOf(bench, { namespace, count: n, since: undefined, from, cpuMs: cpuMs(operator.pid) - before })
  say(`create ${n}: ${JSON.stringify(batch)}`)
  await sleep(5_000)
  const created = residentMB(operator.pid)
  const rest = await atRest(bench, operator, sizes.restMs)
  const rested = residentMB(operator.pid)
  await bench.stopOperator()
  const restart = await restarted(bench, n)
  const limit = { is: 'below', value: 150 } as const
  return [
    { name: `create ${n} ECDSA in one namespace`, unit: '/s', measured: batch.perSecond },
    { name: `create ${n}: operator's CPU each`, unit: 'ms', measured: batch.cpu },
    ...(few === undefined
      ? []
      : [
          ratio(`time each with ${n}, to ${sizes.batch}`, few.perSecond / batch.perSecond),
          ratio(`CPU each with ${n}, to ${sizes.batch}`, batch.cpu / few.cpu),
        ]),
    {
      name: `memory after creating ${n}`,
      unit: 'MB',
      measured: created.now,
      limit,
      note: `peak ${created.peak.toFixed(0)}`,
    },
    { name: `memory after ${sizes.restMs / 1000} s of rest`, unit: 'MB', measured: rested.now, limit },
    restFigure(`at rest for ${sizes.restMs / 1000} s with ${n} certificates`, rest),
    {
      name: `restart with ${n}: all looked at after`,
      unit: 's',
      measured: restart.seconds,
      limit: { is: 'below', value: 10 },
      note: `of it ${restart.cpuSeconds.toFixed(1)} s CPU; ${restart.reads} reads of objects`,
    },
    restFigure(`restart with ${n}`, restart.writes),
    {
      name: `memory after the restart`,
      unit: 'MB',
      measured: restart.memory.now,
      limit,
      note: `peak ${restart.memory.peak.toFixed(0)}`,
    },
  ]
}

const ratio = (name: string, measured: number): Figure => ({
  name,
  unit: '×',
  measured,
  limit: { is: 'at most', value: 1.25 },
})

const restarted = async (bench: Bench, count: number) => {
  const [since, begin] = [Date.now(), performance.now()]
  const operator = await bench.launch()
  await eventually('every certificate to be looked at', async () => (await looked(operator)) >= count, {
    timeoutMs: 300_000,
    everyMs: 100,
    giveUp: () => (operator.running ? undefined : operator.logs()),
  })
  const [seconds, cpuSeconds] = [(performance.now() - begin) / 1000, cpuMs(operator.pid) / 1000]
  await sleep(10_000)
  const { plane, chart } = bench
  const filter = { user: chart.user, since }
  const reads = selectRequests(plane.auditLog(), filter).filter(
    ({ verb, objectRef }) => verb === 'get' && objectRef?.resource !== 'leases',
  )
  return {
    seconds,
    cpuSeconds,
    reads: reads.length,
    writes: writesOf(plane.auditLog(), filter),
    memory: residentMB(operator.pid),
  }
}

const looked = async (operator: Operator): Promise<number> =>
  metric(await operator.metrics(), 'controller_runtime_reconcile_total', 'controller="databasecertificate"')
