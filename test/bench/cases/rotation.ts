/** The rotation of a CA with everything that hangs under it: how long it takes beyond its soaks, and what it costs everybody else. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { certificateAuthorities } from '../../../src/resources/certificate-authority.ts'
import { isReady } from '../../../src/resources/conditions.ts'
import { databaseTLSProfiles } from '../../../src/resources/database-tls-profile.ts'
import { secrets } from '../../../src/resources/core.ts'
import type { AuditLine, Operator } from '../../controlplane/harness/index.ts'
import { eventually, selectRequests, writesOf } from '../../controlplane/harness/index.ts'
import type { Bench } from '../bench.ts'
import type { Figure } from '../figures.ts'
import type { Order, Side, Told } from '../handshake-loop.ts'
import { warmOperator } from '../issuance.ts'
import { authorityName, numbers, profile } from '../objects.ts'
import { inParallel } from '../parallel.ts'
import type { Sizes } from '../sizes.ts'
import { atRest, restFigure } from './rest.ts'

const namespace = 'rotated'
const by = { fieldManager: 'bench' }
const perProfile = 20
const baselineMs = 10_000
const volumeDelayMs = 3000
/** A Secret that was written for TrustBoth and again for Dropped is one event that happened twice: its count is written a minute later. */
const countsMs = 65_000
/** TrustBoth, Signing and Dropped each give volumes their time. */
const delays = (3 * volumeDelayMs) / 1000

export const rotation = async (bench: Bench, sizes: Sizes, say: (text: string) => void): Promise<Figure[]> => {
  // The files of the loop are a second behind the Secrets, not the minutes of a kubelet.
  const operator = await bench.launchReady([`--volume-delay=${volumeDelayMs}ms`])
  const certificates = sizes.rotated * perProfile
  await warmOperator(bench, 'warm', sizes.batch)
  const created = await fill(bench, sizes.rotated)
  await bench.settled(namespace, certificates)
  say(`${sizes.rotated} profiles with ${certificates} certificates: ${created.toFixed(1)} s`)
  const loop = fork(new URL('../handshake-loop.ts', import.meta.url))
  const following = new AbortController()
  try {
    const follow = followSecrets(bench, loop, following.signal)
    await sleep(baselineMs)
    const baseline = await tell(loop)
    say(`baseline: ${JSON.stringify(baseline)}`)
    const measured = await rotate(bench, operator)
    const during = await tell(loop)
    say(`rotation: ${JSON.stringify({ ...measured, ...during })}`)
    following.abort()
    await follow
    await sleep(countsMs)
    const rest = await atRest(bench, operator, sizes.restMs)
    const writes = measured.writes / certificates
    return [
      {
        name: `rotating a CA with ${certificates} certificates in ${sizes.rotated} profiles`,
        unit: 's',
        measured: measured.seconds - delays,
        limit: { is: 'at most', value: 4 * created, from: `4 × making them, ${created.toFixed(1)} s` },
        note: `from the trigger until the former CA is trusted nowhere, without soaks and the ${delays} s that volumes are given`,
      },
      {
        name: 'the same, object writes a certificate',
        unit: '',
        measured: writes,
        limit: { is: 'at most', value: 9 },
        note: `of its Secret ${(measured.secretWrites / certificates).toFixed(2)}`,
      },
      { name: 'the same, requests of the operator in one second at most', unit: '/s', measured: measured.busiest },
      {
        name: 'a connection with mutual TLS meanwhile, slowest',
        unit: 'ms',
        measured: during.worst,
        note: `median ${during.median.toFixed(1)}; before it slowest ${baseline.worst.toFixed(1)}, median ${baseline.median.toFixed(1)}`,
      },
      {
        name: `connections refused meanwhile, of ${during.connections}`,
        unit: '',
        measured: during.refused,
        limit: { is: 'at most', value: 0 },
      },
      restFigure('at rest after the rotation', rest),
    ]
  } finally {
    following.abort()
    loop.kill()
    await bench.stopOperator()
  }
}

/** Seconds until all are Ready. */
const fill = async (bench: Bench, count: number): Promise<number> => {
  await bench.namespace(namespace, { wait: true })
  const begin = performance.now()
  await inParallel(16, numbers(count), async (at) => {
    const { spec, ...whole } = profile(namespace, at)
    const clients = spec.clients?.slice(0, perProfile - 4) ?? []
    await bench.admin.create(databaseTLSProfiles, { ...whole, spec: { ...spec, clients } }, by)
  })
  await eventually('every profile to be Ready', async () => {
    const { items } = await bench.admin.list(databaseTLSProfiles, { namespace })
    return items.length === count && items.every(isReady)
  })
  return (performance.now() - begin) / 1000
}

/** From the commit that changes the trigger until the rotation has ended. */
const rotate = async ({ admin, chart, plane }: Bench, operator: Operator) => {
  const place = { namespace, name: authorityName }
  const found = await admin.get(certificateAuthorities, place)
  const asked = { ...found.spec.rotation, trigger: 'bench', trustSoak: '0s', dropSoak: '0s' }
  const since = Date.now()
  await admin.update(certificateAuthorities, { ...found, spec: { ...found.spec, rotation: asked } } as typeof found, by)
  await eventually(
    'the rotation to end',
    async () => {
      const { status } = await admin.get(certificateAuthorities, place)
      return status?.rotation?.phase === 'Idle' && status.rotation.trigger === 'bench'
    },
    { timeoutMs: 900_000, giveUp: () => (operator.running ? undefined : 'the operator ended') },
  )
  const seconds = (Date.now() - since) / 1000
  const filter = { user: chart.user, since }
  const writes = writesOf(plane.auditLog(), filter).filter(({ objectRef }) => objectRef?.resource !== 'events')
  return {
    seconds,
    writes: writes.length,
    secretWrites: writes.filter(({ objectRef }) => objectRef?.resource === 'secrets').length,
    busiest: busiestSecond(selectRequests(plane.auditLog(), filter)),
  }
}

const busiestSecond = (lines: readonly AuditLine[]): number => {
  const counts = new Map<string, number>()
  for (const { requestReceivedTimestamp } of lines) {
    const second = requestReceivedTimestamp.slice(0, 19)
    counts.set(second, (counts.get(second) ?? 0) + 1)
  }
  return Math.max(0, ...counts.values())
}

const tell = async (loop: ChildProcess): Promise<Told> => {
  loop.send({ do: 'tell' } satisfies Order)
  const [told] = (await once(loop, 'message')) as [Told]
  return told
}

/** What a kubelet does: every second, the files as the Secrets are. */
const followSecrets = async ({ admin }: Bench, loop: ChildProcess, signal: AbortSignal): Promise<void> => {
  const name = 'cluster-0000'
  const { status } = await admin.get(databaseTLSProfiles, { namespace, name })
  const secretOf = (certificate: string): string => {
    const found = status?.certificates?.find((one) => one.name === certificate)?.secretName
    if (found === undefined) throw new Error(`profile ${name} has no certificate ${certificate}`)
    return found
  }
  const places = [secretOf(`${name}-server`), secretOf(`${name}-app-0`)]
  let before = ''
  while (!signal.aborted) {
    const read = await Promise.all(places.map((one) => admin.get(secrets, { namespace, name: one })))
    const version = read.map(({ metadata }) => metadata.resourceVersion).join(' ')
    const [server, client] = read.map(({ data = {} }) => sideOf(data))
    if (version !== before && server !== undefined && client !== undefined)
      loop.send({ do: 'use', server, client, name: `${name}.${namespace}.svc` } satisfies Order)
    before = version
    await sleep(1000)
  }
}

const sideOf = (data: Readonly<Record<string, string>>): Side => {
  const text = (...keys: string[]): string => {
    const key = keys.find((one) => data[one] !== undefined)
    if (key === undefined) throw new Error(`no ${keys.join(' or ')} among ${Object.keys(data).join(', ')}`)
    return Buffer.from(data[key] ?? '', 'base64').toString('utf8')
  }
  return { cert: text('tls.crt'), key: text('tls.key'), ca: text('ca.crt') }
}
