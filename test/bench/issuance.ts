/** One measured batch of issuances, from outside: the audit log and /proc. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Operator } from '../controlplane/harness/index.ts'
import { selectRequests } from '../controlplane/harness/index.ts'
import type { AuditLine } from '../controlplane/harness/index.ts'
import type { Bench } from './bench.ts'
import { cpuMs } from './machine.ts'
import { authorityName } from './objects.ts'

export interface Batch {
  readonly perSecond: number
  /** CPU of the operator, ms a certificate. */
  readonly cpu: number
  /** Creates, updates and patches of anything but Events and Leases, a certificate; refused ones count. */
  readonly writes: number
  readonly events: number
  readonly reads: number
  /** Requests answered with 4xx or 5xx, in all. */
  readonly failed: number
}

/** Two seconds after the last event of a batch its garbage is collected (docs/adr/0025); the next one shall not carry it. */
const restMs = 4_000

const writing: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete'])

export interface Span {
  readonly namespace: string
  readonly count: number
  /** Epoch ms; the batch begins here. Absent: at the operator's first write of it. */
  readonly since: number | undefined
  /** Only requests from here on belong to the batch. */
  readonly from: number
  readonly cpuMs: number
}

/** The authority of the batch tells of itself, too, when its event comes late. */
const isEventOfCertificate = ({ objectRef }: AuditLine): boolean =>
  objectRef?.resource === 'events' && objectRef.name?.startsWith(`${authorityName}.`) !== true

/** What the audit log tells of a batch that has ended. */
export const batchOf = ({ plane, chart }: Bench, span: Span): Batch => {
  const lines = selectRequests(plane.auditLog(), { user: chart.user, since: span.from }).filter(
    ({ objectRef }) => objectRef?.namespace === span.namespace,
  )
  const written = lines.filter(({ verb }) => writing.has(verb))
  const objects = written.filter(({ objectRef }) => objectRef?.resource !== 'events')
  const statuses = objects.filter(({ objectRef }) => objectRef?.subresource === 'status')
  const begin = span.since ?? Math.min(...objects.map((line) => Date.parse(line.requestReceivedTimestamp)))
  const end = Math.max(...statuses.map((line) => Date.parse(line.stageTimestamp)))
  return {
    perSecond: (span.count * 1000) / (end - begin),
    cpu: span.cpuMs / span.count,
    writes: objects.length / span.count,
    events: written.filter(isEventOfCertificate).length / span.count,
    reads: lines.filter(({ verb }) => verb === 'get').length / span.count,
    failed: lines.filter(({ responseStatus }) => (responseStatus?.code ?? 0) >= 400).length,
  }
}

/**
 * Holds the operator still while `prepare` changes the manifests, then lets it act on all of them at once: the server and
 * the processors are the operator's alone, as they are the raw loop's. `present`: certificates that were there before.
 */
export const measureBatch = async (
  bench: Bench,
  operator: Operator,
  namespace: string,
  count: number,
  prepare: () => Promise<void>,
  present = 0,
): Promise<Batch> => {
  await sleep(restMs)
  const from = Date.now()
  operator.sigstop()
  try {
    await prepare()
  } finally {
    operator.sigcont()
  }
  const [since, before] = [Date.now(), cpuMs(operator.pid)]
  await bench.settled(namespace, present + count)
  return batchOf(bench, { namespace, count, since, from, cpuMs: cpuMs(operator.pid) - before })
}

/** The same with manifests that arrive while the operator acts, from the first one on. */
export const measureStream = async (
  bench: Bench,
  operator: Operator,
  namespace: string,
  count: number,
  create: () => Promise<void>,
): Promise<Batch> => {
  const [since, before] = [Date.now(), cpuMs(operator.pid)]
  await create()
  await bench.settled(namespace, count)
  return batchOf(bench, { namespace, count, since, from: since, cpuMs: cpuMs(operator.pid) - before })
}

/** Compiling is over by then, which is a fifth of the time of the first 500. */
export const warmOperator = async (bench: Bench, namespace: string, count: number): Promise<void> => {
  await bench.namespace(namespace, { wait: true })
  await bench.createCertificates(namespace, count)
  await bench.settled(namespace, count)
}
