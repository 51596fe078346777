/**
 * The most that this API server gives to anybody who records, writes and reports certificates: the operator's own client in a
 * process of its own sends the same three writes with ready-made bytes, and does nothing else. With `rsaKeys` it makes a key
 * before each three, the most that this thread pool gives beside such a server; with `profile` it applies the certificate itself, too,
 * and writes the profile's ConfigMap and its two statuses. Speaks over the channel of `fork`: RawJob, then orders, each answered with Told.
 */
import { webcrypto } from 'node:crypto'
import { on } from 'node:events'
import type { KubeObject } from '../../src/cluster/port.ts'
import { keyOf } from '../../src/cluster/port.ts'
import { type ConfigMap, configMaps, secrets, type Secret } from '../../src/resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../src/resources/database-certificate.ts'
import { databaseTLSProfiles, type DatabaseTLSProfile } from '../../src/resources/database-tls-profile.ts'
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

/** What the operator wrote for one profile, beside its certificates. */
export interface ProfileTemplate {
  readonly profile: DatabaseTLSProfile
  readonly configMap: ConfigMap
}

export interface RawJob {
  readonly kubeconfig: string
  readonly namespace: string
  /** What the operator itself wrote, taken in turn. */
  readonly templates: readonly Template[]
  readonly concurrency: number
  /** An RSA-2048 key for each round, by a thread pool that has the processors of processors.ts for itself once it is warm. */
  readonly rsaKeys: boolean
  /** The certificates are not there yet; each so many as there are templates belong to one of the profiles, which are. */
  readonly profile: ProfileTemplate | undefined
}

export interface Order {
  /**
   * `create`: for the next `count` manifests that have nothing yet; `warmUp` the same, not measured; `alone` one at a time;
   * `renew`: once more for the `count` that were made last, with other bytes.
   */
  readonly do: 'warmUp' | 'create' | 'alone' | 'renew'
  readonly count: number
}

/** ms, of each when `alone`. */
export interface Told {
  readonly ms: readonly number[]
}

const orders = on(process, 'message')
const next = async <T>(): Promise<T> => ((await orders.next()).value as [T])[0]
const job = await next<RawJob>()
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

/** As the manifest's, of another owner: without the right one the garbage collector would take it away meanwhile. */
const ownedBy = ({ name, uid = '' }: KubeObject['metadata'], former: KubeObject) => ({
  ownerReferences: former.metadata.ownerReferences?.map((owner) => ({ ...owner, name, uid })),
})

const statusOf = <T extends KubeObject>(
  template: T,
  { name, namespace, uid, resourceVersion }: KubeObject['metadata'],
  status: object,
): T => {
  const { apiVersion, kind } = template
  return { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion }, status } as unknown as T
}

/** A profile's first status, then its certificates, then its ConfigMap and its last status. */
class Profiles {
  readonly #template: ProfileTemplate
  readonly #present: readonly DatabaseTLSProfile[]
  readonly #begun = new Map<DatabaseTLSProfile, Promise<DatabaseTLSProfile>>()
  readonly #left = new Map<DatabaseTLSProfile, number>()

  constructor(template: ProfileTemplate, present: readonly DatabaseTLSProfile[]) {
    this.#template = template
    this.#present = present
  }

  /** Of all of them. */
  get certificates(): number {
    return this.#present.length * job.templates.length
  }

  async certificate(index: number, template: Template): Promise<DatabaseCertificate> {
    const profile = this.#of(index)
    await this.#begin(profile)
    const { status: _, ...wanted } = shorn(
      template.certificate,
      certificateName(index),
      ownedBy(profile.metadata, template.certificate),
    )
    return cluster.apply(databaseCertificates, wanted, { ...options, force: true, createOnly: true })
  }

  async issued(index: number): Promise<void> {
    const profile = this.#of(index)
    const left = (this.#left.get(profile) ?? job.templates.length) - 1
    this.#left.set(profile, left)
    if (left > 0) return
    const { configMap } = this.#template
    const name = `${profile.metadata.name}-tls-config`
    const wanted = shorn(configMap, name, ownedBy(profile.metadata, configMap))
    await cluster.apply(configMaps, wanted, { ...options, force: true, createOnly: true })
    const { metadata } = await this.#begin(profile)
    const { status = {} } = this.#template.profile
    const written = { ...metadata, namespace: job.namespace }
    await cluster.updateStatus(databaseTLSProfiles, statusOf(this.#template.profile, written, status), options)
  }

  #of(index: number): DatabaseTLSProfile {
    return this.#present[Math.floor(index / job.templates.length)] as DatabaseTLSProfile
  }

  #begin(profile: DatabaseTLSProfile): Promise<DatabaseTLSProfile> {
    const { status } = this.#template.profile
    const first = {
      observedGeneration: status?.observedGeneration,
      certificates: status?.certificates?.map(({ name, role, secretName }) => ({ name, role, secretName })),
      conditions: status?.conditions?.map((condition) => ({
        ...condition,
        ...{ status: 'False', reason: 'Issuing', message: 'Certificates are being issued.' },
      })),
    }
    const begun =
      this.#begun.get(profile) ??
      cluster.updateStatus(databaseTLSProfiles, statusOf(this.#template.profile, profile.metadata, first), options)
    this.#begun.set(profile, begun)
    return begun
  }
}

const profiles =
  job.profile === undefined
    ? undefined
    : new Profiles(job.profile, (await cluster.list(databaseTLSProfiles, { namespace: job.namespace })).items)

let serial = 0
/** What the three writes are answered with, by the certificate's name. */
const written = new Map<string, DatabaseCertificate>()

const issue = async ({ metadata }: DatabaseCertificate, template: Template, createOnly: boolean): Promise<void> => {
  if (job.rsaKeys) await webcrypto.subtle.generateKey(rsa, true, ['sign', 'verify'])
  const serialNumber = `7F${(serial++).toString(16).toUpperCase().padStart(38, '0')}`
  const issued = shorn(template.issued, `bench-ca-${serialNumber.toLowerCase()}`)
  await cluster.create(issuedCertificates, { ...issued, spec: { ...issued.spec, serialNumber } }, options)
  const secret = shorn(template.secret, `${metadata.name}-tls`, ownedBy(metadata, template.secret))
  await cluster.apply(secrets, secret, { ...options, force: true, ...(createOnly ? { createOnly } : {}) })
  const present = { ...metadata, namespace: job.namespace }
  const status = statusOf(template.certificate, present, template.certificate.status ?? {})
  written.set(metadata.name, await cluster.updateStatus(databaseCertificates, status, options))
}

const templateFor = (index: number): Template => job.templates[index % job.templates.length] as Template

const create = async (item: DatabaseCertificate | number, index: number): Promise<void> => {
  const template = templateFor(index)
  const certificate = typeof item === 'number' ? await profiles?.certificate(item, template) : item
  if (certificate === undefined) return
  await issue(certificate, template, true)
  if (typeof item === 'number') await profiles?.issued(item)
}

/** With the next template: bytes that do not differ would be no write at all. */
const renew = async (item: DatabaseCertificate | number, index: number): Promise<void> => {
  const certificate = typeof item === 'number' ? undefined : written.get(item.metadata.name)
  if (certificate === undefined)
    throw new Error(`nothing was written yet for ${keyOf({ metadata: { name: job.namespace } })}`)
  await issue(certificate, templateFor(index + 1), false)
}

const items = profiles
  ? numbers(profiles.certificates)
  : (await cluster.list(databaseCertificates, { namespace: job.namespace })).items
let done = 0

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const begin = performance.now()
  await work()
  return performance.now() - begin
}

const obey = async (order: Order): Promise<readonly number[]> => {
  if (order.do !== 'renew') done += order.count
  const [from, chosen] = [done - order.count, items.slice(done - order.count, done)]
  if (chosen.length < order.count) throw new Error(`namespace ${job.namespace} has too few certificates`)
  const work = order.do === 'renew' ? renew : create
  const each = (item: DatabaseCertificate | number, at: number): Promise<void> => work(item, from + at)
  if (order.do !== 'alone') return [await timed(() => inParallel(job.concurrency, chosen, each))]
  const times: number[] = []
  for (const [at, item] of chosen.entries()) times.push(await timed(() => each(item, at)))
  return times
}

process.once('disconnect', () => process.exit(0))
process.send?.({ ms: [] } satisfies Told)
for (;;) {
  const order = await next<Order>()
  const told: Told = { ms: await obey(order) }
  if (order.do === 'warmUp' && job.rsaKeys) await pinPool(process.pid)
  process.send?.(told)
}
