/**
 * The most that this API server gives to anybody who records, writes and reports certificates: the operator's own client in a
 * process of its own sends the same three writes with ready-made bytes, and does nothing else. With `rsaKeys` it makes a key
 * before each three, the most that this thread pool gives beside such a server; with `applies` it applies the certificate itself, too,
 * as the operator does for a profile. Standard input: RawJob; standard output: RawResult.
 */
import { webcrypto } from 'node:crypto'
import { text } from 'node:stream/consumers'
import type { KubeObject } from '../../src/cluster/port.ts'
import { keyOf } from '../../src/cluster/port.ts'
import { secrets, type Secret } from '../../src/resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../src/resources/database-certificate.ts'
import { issuedCertificates, type IssuedCertificate } from '../../src/resources/issued-certificate.ts'
import { connect } from './bench.ts'
import { certificateName, numbers } from './objects.ts'
import { inParallel } from './parallel.ts'
import { pinPool } from './processors.ts'

/** What the operator wrote for one certificate. */
export interface Template {
  readonly issued: IssuedCertificate
  readonly secret: Secret
  readonly certificate: DatabaseCertificate
}

export interface RawJob {
  readonly kubeconfig: string
  readonly namespace: string
  /** What the operator itself wrote, taken in turn. */
  readonly templates: readonly Template[]
  /** Rounds that are not measured, at the concurrency of the ones that are. */
  readonly warmUp: number
  readonly rounds: number
  readonly concurrency: number
  /** Rounds one at a time. */
  readonly alone: number
  /** An RSA-2048 key for each round, by a thread pool that has the processors of processors.ts for itself. */
  readonly rsaKeys: boolean
  /** The certificates are not there yet. */
  readonly applies: boolean
}

export interface RawResult {
  readonly perSecond: number
  readonly aloneMs: readonly number[]
}

const job = JSON.parse(await text(process.stdin)) as RawJob
const cluster = await connect(job.kubeconfig)
const options = { fieldManager: 'dbtls.dev/operator', metadataOnly: true }

const shorn = <T extends KubeObject>(template: T, name: string, extra: object = {}): T => ({
  ...template,
  metadata: {
    name,
    namespace: job.namespace,
    ...(template.metadata.labels === undefined ? {} : { labels: template.metadata.labels }),
    ...(template.metadata.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
    ...extra,
  },
})

const rsa = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
}

const apply = (name: string, template: Template): Promise<DatabaseCertificate> => {
  const { status: _, ...wanted } = shorn(template.certificate, name)
  return cluster.apply(databaseCertificates, wanted, { ...options, force: true, createOnly: true })
}

let serial = 0
const round = async (item: DatabaseCertificate | string, index: number): Promise<void> => {
  const template = job.templates[index % job.templates.length] as Template
  const certificate = typeof item === 'string' ? await apply(item, template) : item
  if (job.rsaKeys) await webcrypto.subtle.generateKey(rsa, true, ['sign', 'verify'])
  const { name, namespace, uid, resourceVersion } = certificate.metadata
  const serialNumber = `7F${(serial++).toString(16).toUpperCase().padStart(38, '0')}`
  const issued = shorn(template.issued, `bench-ca-${serialNumber.toLowerCase()}`)
  await cluster.create(issuedCertificates, { ...issued, spec: { ...issued.spec, serialNumber } }, options)
  // With the right owner, or the garbage collector would take the Secrets away while the others are written.
  const ownerReferences = template.secret.metadata.ownerReferences?.map((owner) => ({
    ...owner,
    name,
    uid: uid ?? '',
  }))
  const secret = shorn(template.secret, `${name}-tls`, { ownerReferences })
  await cluster.apply(secrets, secret, { ...options, force: true, createOnly: true })
  const { apiVersion, kind, status } = template.certificate
  const update = { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion }, status }
  await cluster.updateStatus(databaseCertificates, update as unknown as DatabaseCertificate, options)
}

const all = job.warmUp + job.rounds + job.alone
const items = job.applies
  ? numbers(all).map(certificateName)
  : (await cluster.list(databaseCertificates, { namespace: job.namespace })).items
const warm = items.slice(0, job.warmUp)
const measured = items.slice(job.warmUp, job.warmUp + job.rounds)
const alone = items.slice(job.warmUp + job.rounds, all)
if (alone.length < job.alone)
  throw new Error(`${keyOf({ metadata: { name: job.namespace } })} has too few certificates`)

await inParallel(job.concurrency, warm, round)
if (job.rsaKeys) await pinPool(process.pid)
const start = performance.now()
await inParallel(job.concurrency, measured, round)
const seconds = (performance.now() - start) / 1000
const aloneMs: number[] = []
for (const [index, certificate] of alone.entries()) {
  const begin = performance.now()
  await round(certificate, index)
  aloneMs.push(performance.now() - begin)
}
cluster.close()
process.stdout.write(JSON.stringify({ perSecond: measured.length / seconds, aloneMs } satisfies RawResult))
