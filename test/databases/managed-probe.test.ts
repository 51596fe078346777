/**
 * What the operator says of a managed server by itself: which certificate it serves, and whether clients that trust the provider's
 * bundle take it under the name they connect to. The servers here play the managed side, with CAs of their own.
 */
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findCondition } from '../../src/resources/conditions.ts'
import { type DatabaseTLSProfile, databaseTLSProfiles } from '../../src/resources/database-tls-profile.ts'
import { eventually, freePort, must, Reaper } from '../controlplane/harness/process.ts'
import { Database } from './harness/database.ts'
import type { Product } from './harness/install.ts'
import { ProfileWorld } from './harness/profile.ts'
import { Provider, type Root } from './harness/provider.ts'
import { SecretVolume } from './harness/secret-volume.ts'

const reaper = new Reaper()
/** As a name of RDS leads to its server; the operator here asks the DNS of this machine. */
const host = 'localhost'
const group = { apiVersion: 'dbtls.dev/v1alpha1' }

const bundle = (name: string, provider: Provider, ...of: readonly Root[]) => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } },
  data: { 'bundle.pem': provider.bundle(...of) },
})
const trustOnly = (name: string) => ({
  ...{ ...group, kind: 'CertificateAuthority', metadata: { name } },
  spec: { source: { trustOnly: { configMapRef: { name, key: 'bundle.pem' } } } },
})

interface Opened {
  readonly world: ProfileWorld
  readonly database: Database
  readonly provider: Provider
  /** What the server began with. */
  readonly given: ReturnType<Provider['files']>
}

const open = async (product: Product, protocol: string): Promise<Opened | undefined> => {
  const port = await freePort()
  const folder = (await must('mktemp', ['-d'])).stdout.trim()
  reaper.sweep(folder)
  await must('chmod', ['755', folder])
  const provider = new Provider(join(folder, 'provider'), host)
  const given = provider.files('rsa2048-g1')
  const volume = new SecretVolume(join(folder, 'tls'), given)
  const database = await Database.start(product, volume, reaper, { port })
  if (database === undefined) return undefined
  const specOf = (name: string, at: string) => ({
    ...{ engine: 'External', authorityRef: { name }, connection: { host: at, port, protocol } },
    probe: { interval: '1s' },
  })
  const world = await ProfileWorld.start({
    ...{ reaper, asksServers: true },
    objects: [
      ...[bundle('rds', provider, 'rsa2048-g1', 'ecc384-g1'), trustOnly('rds')],
      ...[bundle('other', provider, 'rsa4096-g1'), trustOnly('other')],
    ],
    spec: { ...specOf('rds', host), clients: [{ name: 'app' }] },
  })
  const profile = { ...group, kind: 'DatabaseTLSProfile' }
  await world.apply({ ...profile, metadata: { name: 'misnamed' }, spec: specOf('rds', '127.0.0.1') })
  await world.apply({ ...profile, metadata: { name: 'misled' }, spec: specOf('other', host) })
  return { world, database, provider, given }
}

describe.each([
  ['MySQL 9', 'MySQL'],
  ['MariaDB 11.8', 'MariaDB'],
  ['PostgreSQL 18', 'PostgreSQL'],
] as const)('a managed server that is %s', (product, protocol) => {
  let opened: Opened | undefined
  beforeAll(async () => {
    opened = await open(product, protocol)
  }, 600_000)
  afterAll(async () => {
    await opened?.world[Symbol.asyncDispose]()
    await opened?.database[Symbol.asyncDispose]()
  })
  const live = (name: string, test: (opened: Opened) => Promise<void>): void =>
    it(name, async (context) => {
      if (opened === undefined) return context.skip(`${product} cannot be had here`)
      await test(opened)
    })
  const serving = ({ world }: Opened, name: string, status: 'True' | 'False', words: RegExp) =>
    eventually(
      `Serving of ${name} to be ${status} and say ${String(words)}`,
      async () => {
        const found: DatabaseTLSProfile = await world.cluster.get(databaseTLSProfiles, { namespace: 'data', name })
        const condition = findCondition(found.status?.conditions, 'Serving')
        const isSaid = condition?.status === status && words.test(condition.message)
        return isSaid && { reason: condition.reason, endpoints: found.status?.endpoints }
      },
      { timeoutMs: 120_000 },
    )
  /** As its status has to have it. */
  const shown = (given: Readonly<Record<'tls.crt', string>>) => {
    const { serialNumber, validToDate } = new X509Certificate(given['tls.crt'])
    return { servedSerial: serialNumber, servedNotAfter: validToDate.toISOString().replace('.000Z', 'Z') }
  }
  const untrusted = (root: Root): RegExp =>
    new RegExp(
      `Clients refuse what it serves .*no trusted CA leads to it: it was signed by "CN=Amazon RDS eu-west-1 Root CA ${root},`,
    )

  live('is seen with serial number, names and expiry, and verified by the name of its clients', async (all) => {
    const { reason, endpoints } = await serving(all, 'orders', 'True', /^The endpoint serves a certificate/)
    expect(reason).toBe('Served')
    expect(endpoints).toMatchObject([
      {
        ...{ address: `${host}:${all.database.place.port}`, standing: 'Serving' },
        ...{ ...shown(all.given), servedNames: [`DNS:${host}`] },
      },
    ])
  })

  live('is refused under a name that it is not for', async (all) => {
    const { reason, endpoints } = await serving(
      all,
      'misnamed',
      'False',
      /Clients refuse what it serves .*it is not for 127\.0\.0\.1/,
    )
    expect(reason).toBe('ServedCertificateRefused')
    expect(endpoints).toMatchObject([{ standing: 'NotVerified', servedNames: [`DNS:${host}`] }])
  })

  live('is refused where its CA is not in the bundle', async (all) => {
    const { reason, endpoints } = await serving(all, 'misled', 'False', untrusted('rsa2048-g1'))
    expect(reason).toBe('ServedCertificateRefused')
    expect(endpoints).toMatchObject([{ standing: 'NotVerified', ...shown(all.given) }])
  })

  live(
    'is refused as soon as its provider goes over to a CA beyond the bundle, until the bundle has it',
    async (all) => {
      const { database, provider, world } = all
      const within = provider.files('ecc384-g1')
      database.volume.write(within)
      await database.reload()
      const { servedSerial } = shown(within)
      const sees = (profile: string, serial: string) =>
        eventually(`${serial} to be seen`, async () => {
          const { status } = await world.cluster.get(databaseTLSProfiles, { namespace: 'data', name: profile })
          return status?.endpoints?.[0]?.servedSerial === serial
        })
      await sees('orders', servedSerial)
      await serving(all, 'orders', 'True', /^The endpoint serves a certificate/)
      const beyond = provider.files('rsa2048-g2')
      database.volume.write(beyond)
      await database.reload()
      const refused = await serving(all, 'orders', 'False', untrusted('rsa2048-g2'))
      expect(refused.endpoints).toMatchObject([{ standing: 'NotVerified', ...shown(beyond) }])
      await world.apply(bundle('rds', provider, 'ecc384-g1', 'rsa2048-g2'))
      const { endpoints } = await serving(all, 'orders', 'True', /^The endpoint serves a certificate/)
      expect(endpoints).toMatchObject([{ standing: 'Serving', ...shown(beyond) }])
    },
  )
})
