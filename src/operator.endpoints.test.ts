import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { Cluster, KubeObject } from './cluster/port.ts'
import { Session } from './commands/embedded/session.ts'
import { marks } from './control/context.ts'
import { opensslServer, serve, startTls } from './database/connect/testing.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { findCondition, isReady, timestamp } from './resources/conditions.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import { databaseTLSProfiles, type DatabaseTLSProfile } from './resources/database-tls-profile.ts'
import { systemClock } from './runtime/clock.ts'
import { silentLogger } from './runtime/log.ts'
import { createMetrics } from './runtime/metrics.ts'
import { authority, getAuthority, getSecret, leafOf, namespace, person, text } from './testing.ts'

const sessions: Session[] = []
afterEach(async () => {
  for (const session of sessions.splice(0)) await session.stop()
})
const folder = mkdtempSync(join(tmpdir(), 'dbtls-endpoints-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** As `dbtls run` has it, on a real clock, for servers know no other. */
const started = async () => {
  const metrics = createMetrics()
  const session = new Session({
    ...{ state: undefined, clock: systemClock(), log: silentLogger(), metrics, workers: 4, namespaces: undefined },
    ...{ events: { record: () => undefined }, asksServers: true },
  })
  sessions.push(session)
  await session.start()
  await session.cluster.apply(certificateAuthorities, authority() as never, person)
  return { session, cluster: session.cluster, metrics: () => metrics.registry.metrics() }
}

const profile = (spec: object): KubeObject =>
  ({
    ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseTLSProfile', metadata: { name: 'orders', namespace } },
    spec: {
      ...{
        engine: 'Redis',
        authorityRef: { name: 'ca' },
        topology: { services: ['orders'], extraIPAddresses: ['127.0.0.1'] },
      },
      ...spec,
    },
  }) as unknown as KubeObject
const put = (cluster: Cluster, spec: object) => cluster.apply(databaseTLSProfiles, profile(spec) as never, person)
const get = (cluster: Cluster): Promise<DatabaseTLSProfile> =>
  cluster.get(databaseTLSProfiles, { namespace, name: 'orders' })

const until = async <T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> => {
  for (const end = Date.now() + 90_000; Date.now() < end;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await sleep(20)
  }
  throw new Error(`timed out: ${what}`)
}
const says = (cluster: Cluster, reason: string) =>
  until(`Serving to say ${reason}`, async () => {
    const found = await get(cluster)
    const condition = findCondition(found.status?.conditions, 'Serving')
    return condition?.reason === reason && { ...condition, endpoints: found.status?.endpoints ?? [], found }
  })
const isSettled = (cluster: Cluster) => until('Ready', async () => isReady(await get(cluster)))
const filesOf = async (cluster: Cluster) => {
  const secret = await getSecret(cluster, 'orders-server-tls')
  const leaf = leafOf(secret)
  return { cert: text(secret, 'tls.crt'), key: text(secret, 'tls.key'), serial: leaf.serialNumber, leaf }
}
const renew = async (cluster: Cluster): Promise<void> => {
  const found = await cluster.get(databaseCertificates, { namespace, name: 'orders-server' })
  const annotations = { ...found.metadata.annotations, [marks.renewTrigger]: 'now' }
  await cluster.update(
    databaseCertificates,
    { ...found, metadata: { ...found.metadata, annotations } },
    { fieldManager: 'kubectl' },
  )
}

describe('the servers of a profile', () => {
  it('are asked what they serve, through a renewal, and at rest nothing is written', async () => {
    const { cluster, metrics } = await started()
    await put(cluster, {})
    await isSettled(cluster)
    const before = await filesOf(cluster)
    let files = before
    await using server = await serve((socket) => startTls(socket, { options: { cert: files.cert, key: files.key } }))
    const address = `127.0.0.1:${server.port}`
    await put(cluster, { probe: { interval: '1s', endpoints: [address] } })
    const first = await says(cluster, 'Served')
    expect(first).toMatchObject({ status: 'True', message: 'The endpoint serves a certificate that clients take.' })
    expect(first.endpoints).toEqual([
      {
        ...{ address, servedSerial: before.serial, lastProbe: expect.stringMatching(/Z$/) as string },
        ...{ clientAuthority: 'data/ca', standing: 'Serving' },
        servedNames: before.leaf.subjectAlternativeNames.slice(0, 8).map(({ type, value }) => `${type}:${value}`),
        servedNotAfter: timestamp(before.leaf.notAfter),
        message: expect.stringMatching(
          /^It serves the current certificate of orders-server, valid until .* It asks clients for no certificate\.$/,
        ) as string,
      },
    ])
    const { resourceVersion } = first.found.metadata
    const connections = server.connections.length
    await until('some looks', () => Promise.resolve(server.connections.length > connections + 3))
    expect((await get(cluster)).metadata.resourceVersion).toBe(resourceVersion)

    await renew(cluster)
    const old = await says(cluster, 'OldCertificateServed')
    files = await filesOf(cluster)
    expect(old.status).toBe('False')
    expect(old.message).toMatch(
      new RegExp(
        `^1 of 1 endpoints: ${address}: It still serves ${before.serial} and not ${files.serial}, which is in Secret of orders-server since [-0-9T:]+Z: it has not loaded it\\.`,
      ),
    )
    expect(isReady(old.found)).toBe(true)
    const scraped = await metrics()
    expect(scraped).toContain(`dbtls_endpoint_serves_expected{namespace="data",profile="orders",address="${address}"} `)
    const after = await says(cluster, 'Served')
    expect(after.endpoints[0]?.servedSerial).toBe(files.serial)
    const told = await metrics()
    const labels = `{namespace="data",profile="orders",address="${address}"}`
    expect(told).toContain(`dbtls_endpoint_serves_expected${labels} 1`)
    expect(told).toContain(`dbtls_endpoint_up${labels} 1`)
    expect(told).toContain(`dbtls_endpoint_served_info${labels.replace('}', `,serial_number="${files.serial}"}`)} 1`)
    expect(told).toMatch(/dbtls_endpoint_not_after_timestamp_seconds\{[^}]*\} [0-9]{10}/)
    expect(told).toMatch(/dbtls_endpoint_last_probe_timestamp_seconds\{[^}]*\} [0-9]{10}/)
    expect(told).toMatch(/dbtls_probe_duration_seconds_count\{dialect="redis"\} [1-9]/)
    expect(told).not.toContain('BEGIN')

    await put(cluster, {})
    await until('the endpoints to go', async () => {
      const { status } = await get(cluster)
      return status?.endpoints === undefined && findCondition(status?.conditions, 'Serving') === undefined
    })
    expect(await metrics()).not.toContain(address)
    await cluster.delete(databaseTLSProfiles, { namespace, name: 'orders' })
  })

  it('are shown the certificate of a client, where they want one', async () => {
    const { cluster } = await started()
    const clients = [{ name: 'app' }]
    await put(cluster, { clients })
    await isSettled(cluster)
    const { cert, key } = await filesOf(cluster)
    const { status } = await getAuthority(cluster, 'ca')
    for (const [name, contents] of [
      ['crt', cert],
      ['key', key],
      ['ca', text(await getSecret(cluster, 'orders-server-tls'), 'ca.crt')],
    ] as const)
      writeFileSync(join(folder, name), contents)
    const wants = ['-cert', 'crt', '-key', 'key', '-CAfile', 'ca', '-Verify', '1', '-verify_return_error']
    await using server = await opensslServer(folder, wants)
    const address = `127.0.0.1:${server.port}`
    await put(cluster, { clients, probe: { endpoints: [address, '127.0.0.1:1', '169.254.169.254:80'] } })
    const { endpoints, message } = await says(cluster, 'EndpointUnreachable')
    expect(endpoints).toMatchObject([
      {
        address,
        trusts: [status?.certificate?.fingerprint],
        ...{ standing: 'Serving', trustProof: 'Proved' },
        message: expect.stringMatching(/^It serves the current/) as string,
      },
      { address: '127.0.0.1:1', standing: 'Unreachable', message: expect.stringContaining('nobody listens') as string },
      { address: '169.254.169.254:80', message: expect.stringMatching(/^It was not asked: .*metadata/) as string },
    ])
    expect(message).toMatch(/^2 of 3 endpoints: 127\.0\.0\.1:1: /)
    // Without a client it is said what is missed.
    await put(cluster, { probe: { endpoints: [address] } })
    const [bare] = await until('what is missed', async () => {
      const { endpoints: rows = [] } = (await get(cluster)).status ?? {}
      return rows[0]?.message?.includes('list a client in spec.clients') === true && rows
    })
    expect(bare).not.toHaveProperty('trusts')
  })
})
