/** Profiles: from one apply to everything Ready, and a cluster full of them at the rate of single certificates. */
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, selectRequests } from '../../controlplane/harness/index.ts'
import type { Operator } from '../../controlplane/harness/index.ts'
import { isReady } from '../../../src/resources/conditions.ts'
import { databaseTLSProfiles } from '../../../src/resources/database-tls-profile.ts'
import type { Bench } from '../bench.ts'
import { median, type Figure } from '../figures.ts'
import { batchOf, warmOperator } from '../issuance.ts'
import { cpuMs, residentMB } from '../machine.ts'
import { certificatesOfProfile as each, numbers, profile } from '../objects.ts'
import { profileTemplateOf, rawRate, templateOf } from '../raw.ts'
import type { Template } from '../raw-loop.ts'
import type { Sizes } from '../sizes.ts'
import { atRest, restFigure } from './rest.ts'

const by = { fieldManager: 'bench' }
const [one, all] = ['profile', 'profiles'] as const

export const profiles = async (bench: Bench, sizes: Sizes, say: (text: string) => void): Promise<Figure[]> => {
  await bench.launchReady()
  await bench.namespace(one, { wait: true })
  const times: number[] = []
  for (const at of numbers(sizes.profileRuns, 0)) {
    times.push(await applyToReady(bench, at))
    say(`a profile: ${times.at(-1)?.toFixed(0)} ms`)
    await sleep(1_000)
  }
  const writes = statusWrites(bench, one) / sizes.profileRuns
  await bench.stopOperator()
  // The limit of the many is that of single certificates, 0.75 of a loop that makes the same writes; here those of the profile, too.
  // The server's and the peers' are larger than the clients': more names are checked, and they take the longer.
  const templates: Template[] = []
  for (const { metadata } of (await bench.certificates(one)).slice(0, each))
    templates.push(await templateOf(bench, one, metadata.name))
  const template = await profileTemplateOf(bench, one, profile(one, 0).metadata.name)
  const raw: number[] = []
  const measureRaw = async (): Promise<void> => {
    raw.push(await rawRate(bench, `raw-${raw.length}`, templates, 2 * sizes.batch, { profile: template }))
    say(`raw loop: ${raw.at(-1)?.toFixed(0)}/s`)
  }
  await measureRaw()
  const operator = await bench.launchReady()
  await warmOperator(bench, 'warm', sizes.batch)
  const many = await fullOfProfiles(bench, operator, sizes.profiles)
  say(`profiles: ${JSON.stringify(many)}`)
  const rest = await atRest(bench, operator, sizes.restMs)
  const memory = residentMB(operator.pid)
  await bench.stopOperator()
  await measureRaw()
  const rawMedian = median(raw)
  return [
    {
      name: 'a profile of 1 server, 3 peers, 20 clients, apply to Ready',
      unit: 'ms',
      measured: median(times),
      limit: { is: 'below', value: 1000 },
      note: `fastest ${Math.min(...times).toFixed(0)}, slowest ${Math.max(...times).toFixed(0)}; ${writes.toFixed(1)} status writes each`,
    },
    {
      name: `${sizes.profiles} profiles of ${each} certificates`,
      unit: '/s',
      measured: many.perSecond,
      limit: { is: 'at least', value: 0.75 * rawMedian, from: '0.75 of a raw loop of the same writes' },
      note: `${(many.perSecond / rawMedian).toFixed(2)} of raw (${raw.map((rate) => rate.toFixed(0)).join(', ')}/s); ${many.statusWrites.toFixed(1)} status writes a profile; ${many.failed} requests refused`,
    },
    {
      name: `${sizes.profiles} profiles: operator's CPU a certificate`,
      unit: 'ms',
      measured: many.cpu,
      note: `${many.writes.toFixed(2)} writes each`,
    },
    restFigure(`at rest for ${sizes.restMs / 1000} s with ${sizes.profiles} profiles`, rest),
    {
      name: `memory with ${sizes.profiles} profiles`,
      unit: 'MB',
      measured: memory.now,
      note: `peak ${memory.peak.toFixed(0)}`,
    },
  ]
}

/** From the moment a person applies the manifest until a watch of the server shows the profile Ready, ms. */
const applyToReady = async ({ admin }: Bench, at: number): Promise<number> => {
  const object = profile(one, at)
  const stop = new AbortController()
  const { resourceVersion } = await admin.list(databaseTLSProfiles, { namespace: one })
  const ready = (async () => {
    for await (const event of admin.watch(databaseTLSProfiles, {
      namespace: one,
      resourceVersion,
      signal: stop.signal,
    }))
      if (event.type === 'MODIFIED' && event.object.metadata.name === object.metadata.name && isReady(event.object))
        return
    throw new Error('the watch ended before the profile was Ready')
  })()
  const begin = performance.now()
  await admin.apply(databaseTLSProfiles, object, by)
  await ready
  const took = performance.now() - begin
  stop.abort()
  return took
}

/** All of them are there when the operator begins to act. */
const fullOfProfiles = async (bench: Bench, operator: Operator, count: number) => {
  await bench.namespace(all, { wait: true })
  const from = Date.now()
  operator.sigstop()
  try {
    await bench.createProfiles(all, count)
  } finally {
    operator.sigcont()
  }
  const [since, before] = [Date.now(), cpuMs(operator.pid)]
  await bench.settled(all, count * each)
  const batch = batchOf(bench, {
    namespace: all,
    count: count * each,
    since,
    from,
    cpuMs: cpuMs(operator.pid) - before,
  })
  await eventually('every profile to be Ready', async () => {
    const { items } = await bench.admin.list(databaseTLSProfiles, { namespace: all })
    return items.length === count && items.every(isReady)
  })
  return { ...batch, statusWrites: statusWrites(bench, all) / count }
}

const statusWrites = ({ plane, chart }: Bench, namespace: string): number =>
  selectRequests(plane.auditLog(), { user: chart.user }).filter(
    ({ verb, objectRef }) =>
      verb === 'update' &&
      objectRef?.namespace === namespace &&
      objectRef.resource === 'databasetlsprofiles' &&
      objectRef.subresource === 'status',
  ).length
