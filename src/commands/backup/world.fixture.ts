/** For tests of backup and restore: a cluster in which everything has happened that a backup has to carry over. */

import { webcrypto } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { setTimeout as realSleep } from 'node:timers/promises'
import type { EmbeddedCluster } from '../../cluster/embedded/cluster.ts'
import { type Cluster, keyOf, type KubeObject } from '../../cluster/port.ts'
import { ascii, contextPrimitive, sequence } from '../../pki/encoding/der.ts'
import { generateKeyPair } from '../../pki/keys/keys.ts'
import { distinguishedName } from '../../pki/names/names.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import { extension, makeRequest } from '../../pki/requests/request.fixture.ts'
import { makeRoot } from '../../pki/testing.ts'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { isReady } from '../../resources/conditions.ts'
import { configMaps, secrets, type Secret } from '../../resources/core.ts'
import { databaseCertificates } from '../../resources/database-certificate.ts'
import { issuedCertificates, type IssuedCertificate } from '../../resources/issued-certificate.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { authority, certificate, namespace, newCluster, person, put, quiet, start, until } from '../../testing.ts'
import type { Target } from '../shared/target.ts'
import { collect, type Included } from './collect.ts'
import type { BackupContents } from './contents.ts'
import { restoreInto, type RestoreOptions } from './restore.ts'

export const targetOf = (cluster: Cluster, clock: ManualClock): Target => ({
  cluster,
  clock,
  namespace,
  scope: undefined,
  live: false,
  close: () => undefined,
})

const secret = (name: string, stringData: Record<string, string>, annotations = {}): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace, annotations },
  stringData,
})

const request = async (): Promise<string> => {
  const key = await generateKeyPair(webcrypto, { algorithm: 'ECDSA', size: 256 })
  const names = extension('2.5.29.17', sequence(contextPrimitive(2, ascii('payments.data.svc'))))
  const subject = distinguishedName({ commonName: 'payments' })
  return encodePem('CERTIFICATE REQUEST', makeRequest(key, { subject, extensions: [names] }))
}

const keystores = { items: [{ key: 'store.p12', content: 'PKCS12Keystore', alias: 'app' }] }

const elsewhere = (): KubeObject => {
  const made = certificate({ authorityRef: { name: 'ca', namespace } }, 'elsewhere')
  return { ...made, metadata: { ...made.metadata, namespace: 'apps' } }
}

const given = async (cluster: Cluster, clock: ManualClock): Promise<void> => {
  const corp = await makeRoot({ commonName: 'Corp', now: clock.now() })
  const roots = encodePem('CERTIFICATE', corp.certificate)
  for (const one of [
    secret('root-pass', { passphrase: 'correct horse battery' }),
    secret('corp-files', { 'tls.crt': roots, 'tls.key': encodePem('PRIVATE KEY', corp.key.pkcs8) }),
    secret('store-pass', { password: 'changeit-now' }),
    secret('payments-csr', { 'tls.csr': await request() }),
    secret('adopted-tls', { theirs: 'x' }, { 'dbtls.dev/adopt': 'true' }),
  ])
    await cluster.apply(secrets, one, person)
  const bundle = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'roots', namespace },
    data: { 'ca.crt': roots },
  }
  await cluster.apply(configMaps, bundle, person)
}

const crl = { duration: '10d', renewBefore: '3d' }
const authorityManifests = (): KubeObject[] => [
  authority({ maxPathLength: 1, crl, privateKey: { passphraseSecretRef: { name: 'root-pass' } } }, 'root'),
  authority({
    source: { intermediate: { authorityRef: { name: 'root' } } },
    crl: { ...crl, onDelete: 'Revoke', onSupersede: 'Revoke' },
    allowedNamespaces: { from: 'All' },
    trustBundle: {
      targets: [{ kind: 'ConfigMap', name: 'trust', items: [{ key: 'ca.crt', content: 'TrustBundle' }] }],
    },
  }),
  authority({ source: { secret: { name: 'corp-files' } }, subject: undefined, crl }, 'corp'),
  authority({ source: { trustOnly: { configMapRef: { name: 'roots' } } }, subject: undefined }, 'anchors'),
  authority({ policy: { uniqueCommonName: true } }, 'unique'),
]

const certificateManifests = (): KubeObject[] => [
  certificate({}, 'orders'),
  certificate(
    { secret: { name: 'store-tls', ...keystores }, keystore: { passwordSecretRef: { name: 'store-pass' } } },
    'store',
  ),
  certificate({ secret: { name: 'made-tls', ...keystores } }, 'made'),
  certificate({ dnsNames: undefined, request: { secretRef: { name: 'payments-csr' } } }, 'payments'),
  certificate({ secret: { name: 'adopted-tls', type: 'Opaque' } }, 'adopted'),
  certificate({ secret: { name: 'kept-tls', deletionPolicy: 'Retain', labels: { team: 'a' } } }, 'kept'),
  certificate({}, 'renewed'),
  certificate({}, 'revoked'),
  certificate({}, 'onhold'),
  certificate({ authorityRef: { name: 'corp' } }, 'corp-app'),
  elsewhere(),
]

const twin = (name: string): KubeObject =>
  certificate({ authorityRef: { name: 'unique' }, subject: { commonName: 'twins' } }, name)

type World = Awaited<ReturnType<typeof start>> & { readonly cluster: EmbeddedCluster; readonly clock: ManualClock }

const unready = async (cluster: Cluster, apart: readonly string[]): Promise<string[]> => {
  const { items: authorities } = await cluster.list(certificateAuthorities)
  const { items: certificates } = await cluster.list(databaseCertificates)
  return [...authorities, ...certificates]
    .filter((one) => !apart.includes(one.metadata.name) && !isReady(one))
    .map(({ metadata, status }) => `${metadata.name}: ${status?.conditions?.[0]?.message}`)
}

const allReady = async (cluster: Cluster, apart: readonly string[] = []): Promise<void> => {
  try {
    await until('everything to be Ready', async () => (await unready(cluster, apart)).length === 0)
  } catch (error) {
    throw new Error((await unready(cluster, apart)).join('\n'), { cause: error })
  }
}

const entryOf = async (cluster: Cluster, holder: string): Promise<IssuedCertificate> => {
  const { items } = await cluster.list(issuedCertificates, { namespace })
  const found = items.find(({ spec }) => spec.certificateRef?.name === holder)
  if (found === undefined) throw new Error(`nothing was issued for ${holder}`)
  return found
}

const revoke = async (cluster: Cluster, holder: string, reason: string): Promise<void> => {
  const { apiVersion, kind, metadata } = await entryOf(cluster, holder)
  const { name, uid } = metadata
  const change = { apiVersion, kind, metadata: { name, namespace, uid }, spec: { revocation: { reason } } }
  await cluster.apply(issuedCertificates, change as unknown as IssuedCertificate, {
    fieldManager: 'person',
    force: true,
  })
}

/** Not Ready, and not to be made so by a restore: on hold, and without the name that a newer one has. */
export const stalledOnes: readonly string[] = ['onhold', 'twin-old']

const listed = async (cluster: Cluster): Promise<number> =>
  (await cluster.get(certificateAuthorities, { namespace, name: 'ca' })).status?.crl?.entries ?? 0

/** An operator that has done everything, and rests. */
export const lived = async (): Promise<World> => {
  const clock = new ManualClock()
  const cluster = newCluster(clock)
  const running = await start(cluster, clock)
  await given(cluster, clock)
  for (const one of authorityManifests()) await put(cluster, one)
  for (const one of certificateManifests()) await put(cluster, one)
  await put(cluster, twin('twin-old'))
  await allReady(cluster)
  await clock.advance(2000)
  await put(cluster, twin('twin-new'))
  await put(cluster, certificate({ renewTrigger: 'now' }, 'renewed'))
  await revoke(cluster, 'revoked', 'keyCompromise')
  await revoke(cluster, 'onhold', 'certificateHold')
  const mine = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'orders-tls', namespace, labels: { mine: 'yes' } },
  }
  await cluster.apply(secrets, { ...mine, data: { extra: 'bW9yZQ==' } }, { fieldManager: 'other' })
  await until('the list', async () => (await listed(cluster)) === 2)
  await until('the twins', async () => {
    const { status } = await cluster.get(databaseCertificates, { namespace, name: 'twin-old' })
    return status?.conditions?.some(({ reason }) => reason === 'CommonNameTaken')
  })
  await allReady(cluster, stalledOnes)
  await until('the revocation of what was replaced', async () => {
    await clock.advance(60_000)
    return (await listed(cluster)) === 3
  })
  // Until everything that follows from it is marked.
  for (let rounds = 0; rounds < 3; rounds += 1) {
    await clock.advance(11 * 60_000)
    await quiet(running.operator)
  }
  return Object.assign(running, { cluster, clock })
}

const all: Included = { certificates: true, confidential: true }

export const backedUp = async (cluster: Cluster, clock: ManualClock, include = all): Promise<BackupContents> => {
  const { items } = await cluster.list(certificateAuthorities)
  return collect(targetOf(cluster, clock), items, include)
}

/** Time passes for a restore that waits for the next second. */
const whileTimePasses = async <T>(clock: ManualClock, work: Promise<T>): Promise<T> => {
  const state = { done: false }
  const ended = work.finally(() => (state.done = true))
  // Its failure is for the caller; here it ends the waiting.
  ended.catch(() => undefined)
  while (!state.done) {
    await realSleep(1)
    await clock.advance(50)
  }
  return ended
}

export const restored = async (
  cluster: Cluster,
  clock: ManualClock,
  contents: BackupContents,
  options: Partial<RestoreOptions> = {},
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const texts = ['', '']
  for (const [at, stream] of [stdout, stderr].entries()) stream.on('data', (chunk) => (texts[at] += String(chunk)))
  const io = { stdout, stderr } as unknown as Parameters<typeof restoreInto>[1]
  const settings = { dryRun: false, createNamespaces: false, ...options }
  const end = (code: number, why = '') => ({ code, out: texts[0] ?? '', err: `${texts[1] ?? ''}${why}` })
  try {
    return end(await whileTimePasses(clock, restoreInto(targetOf(cluster, clock), io, contents, settings)))
  } catch (error) {
    return end(1, error instanceof Error ? `${error.name}: ${error.message}` : String(error))
  }
}

/** Until the operator has looked at all that was restored. */
export const settled = async (
  running: Pick<World, 'operator'>,
  cluster: Cluster,
  clock: ManualClock,
): Promise<void> => {
  await allReady(cluster, stalledOnes)
  await clock.advance(5000)
  await quiet(running.operator)
}

/** Everything that must be the same after a restore: serial numbers and revocations, and the bytes of every Secret. */
export const substanceOf = async (cluster: Cluster) => {
  const [ledger, kept, issued] = await Promise.all([
    cluster.list(issuedCertificates),
    cluster.list(secrets),
    cluster.list(databaseCertificates),
  ])
  return {
    ledger: Object.fromEntries(
      ledger.items.map((one) => [
        keyOf(one),
        [one.spec.serialNumber, one.spec.revocation, one.spec.supersedes, one.spec.request, one.status?.state],
      ]),
    ),
    secrets: Object.fromEntries(kept.items.map((one) => [keyOf(one), [one.type, one.data]])),
    marks: Object.fromEntries(
      kept.items.map(({ metadata }) => [keyOf({ metadata }), [metadata.labels, metadata.annotations]]),
    ),
    certificates: Object.fromEntries(
      issued.items.map((one) => [keyOf(one), [one.spec, one.status?.serialNumber, one.status?.revision]]),
    ),
  }
}
