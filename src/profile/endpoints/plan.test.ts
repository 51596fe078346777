import { describe, expect, it } from 'vitest'
import type { FindAuthority } from '../../authority/lineage.ts'
import type { LedgerEntry } from '../../ledger/entry.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { ProfileView } from '../collaborators.ts'
import { authority, expanded, profileOf, topology } from '../profile.fixture.ts'
import { mostEndpoints, planOf } from './plan.ts'
import { rotatingAt } from './rotating.ts'

const issuedAt = Date.UTC(2026, 10, 21)

/** Every certificate of the profile was issued, with its name as serial number, but those in `without`. */
const viewOf = (spec: object, without: readonly string[] = []): ProfileView => {
  const profile = profileOf(spec)
  const expansion = expanded(spec, { authority })
  const certificates = new Map(
    expansion.certificates.map((wanted): [string, DatabaseCertificate] => [
      wanted.name,
      {
        ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseCertificate' },
        metadata: { name: wanted.name, namespace: 'data' },
        spec: wanted.spec,
        status: without.includes(wanted.name)
          ? {}
          : { serialNumber: `S-${wanted.name}`, fingerprint: `F-${wanted.name}`, authorityFingerprint: 'F-ca' },
      },
    ]),
  )
  return { key: 'data/orders', profile, expansion, certificates }
}
const entry = { createdAt: issuedAt, notBefore: issuedAt, isRestored: false } as LedgerEntry
const plan = (
  spec: object,
  without: readonly string[] = [],
  shortestMs = 10_000,
  findAuthority: FindAuthority = () => undefined,
) => planOf(viewOf({ engine: 'MySQL', topology, probe: {}, ...spec }, without), () => entry, shortestMs, findAuthority)

describe('a plan', () => {
  it('asks each pod for the certificate that all share', () => {
    const { endpoints, intervalMs, leftOut } = plan({})
    expect(endpoints.map(({ address }) => address)).toEqual(
      [0, 1, 2].map((ordinal) => `orders-${ordinal}.orders-headless.data.svc.cluster.local:3306`),
    )
    expect(endpoints.map(({ serverName }) => serverName)).toEqual(endpoints.map(({ host }) => host))
    expect(endpoints.map(({ wish }) => wish.expected)).toEqual(
      endpoints.map(() => [
        {
          certificate: 'orders-server',
          serialNumber: 'S-orders-server',
          fingerprint: 'F-orders-server',
          since: issuedAt,
        },
      ]),
    )
    expect([intervalMs, leftOut]).toEqual([300_000, 0])
  })
  it('asks each pod for its own certificate where each has one', () => {
    const { endpoints } = plan({ topology: { ...topology, certificatePer: 'Pod' } })
    expect(endpoints.map(({ wish }) => wish.expected.map(({ certificate }) => certificate))).toEqual([
      ['orders-server-0'],
      ['orders-server-1'],
      ['orders-server-2'],
    ])
  })
  it('takes any certificate of the servers where an endpoint could be any of them', () => {
    const { endpoints } = plan({
      topology: { ...topology, certificatePer: 'Pod' },
      probe: { endpoints: ['10.1.2.3:3306', 'orders:3307'] },
    })
    expect(endpoints.map(({ wish }) => wish.expected.length)).toEqual([3, 3])
    expect(endpoints.map(({ serverName, port }) => [serverName, port])).toEqual([
      ['10.1.2.3', 3306],
      ['orders', 3307],
    ])
  })
  it('expects nothing certain before the first certificate, and of a server that brings its own', () => {
    expect(plan({}, ['orders-server']).endpoints[0]?.wish.expected).toEqual([])
    const { endpoints } = plan({ engine: 'External', topology: undefined, connection: { host: 'db.example.com' } })
    expect(endpoints).toMatchObject([{ address: 'db.example.com:3306', wish: { managed: true, expected: [] } }])
  })
  it('verifies a name of the certificate where dbtls itself chose one that the CA does not permit', () => {
    const view = viewOf({ engine: 'MySQL', topology, connection: { host: 'db.example.com' } })
    const certificates = new Map(
      [...view.certificates].map(([name, one]) => [
        name,
        { ...one, spec: { ...one.spec, dnsNames: ['x', 'db.example.com'] } },
      ]),
    )
    const { endpoints } = planOf(
      { ...view, certificates },
      () => undefined,
      0,
      () => undefined,
    )
    expect(endpoints.map(({ serverName }) => serverName)).toEqual(endpoints.map(() => 'db.example.com'))
    expect(endpoints[0]?.wish.expected[0]).not.toHaveProperty('since')
  })
  it('shows the first client that has a certificate', () => {
    const clients = [{ name: 'app' }, { name: 'report' }]
    expect(plan({ clients }).client).toEqual({
      ...{ name: 'app', key: 'data/orders-app', fingerprint: 'F-orders-app', authority: 'F-ca' },
    })
    expect(plan({ clients }, ['orders-app']).client?.name).toBe('report')
    expect(plan({ clients }, ['orders-app', 'orders-report']).client).toBeUndefined()
    expect(plan({}).client).toBeUndefined()
  })
  it.each([
    ['1s', 10_000, 10_000],
    ['1m', 10_000, 60_000],
    ['1s', 0, 1000],
  ])('asks every %s, but not more often than every %i ms', (interval, shortest, ms) =>
    expect(plan({ probe: { interval } }, [], shortest).intervalMs).toBe(ms),
  )
  it('asks so many and no more, and each once', () => {
    const view = viewOf({ engine: 'MySQL', topology, probe: {} })
    const endpoints = Array.from({ length: 1000 }, (_, index) => ({
      ...{ address: `db-${index}:3306`, dialect: 'mysql' as const, part: 'server' },
    }))
    const many = planOf(
      { ...view, expansion: { ...view.expansion, endpoints } },
      () => entry,
      0,
      () => undefined,
    )
    expect([many.endpoints.length, many.leftOut]).toEqual([mostEndpoints, 1000 - mostEndpoints])
    expect(plan({ probe: { endpoints: ['a:1', 'a:1', 'b:70000'] } }).endpoints.map(({ address }) => address)).toEqual([
      'a:1',
    ])
  })
})

describe('the proof of a next CA', () => {
  const authorityOf = (rotation: object | undefined, above?: string): CertificateAuthority =>
    ({
      metadata: { name: 'x', namespace: 'data' },
      spec: { source: above === undefined ? { selfSigned: {} } : { intermediate: { authorityRef: { name: above } } } },
      status: { trustBundleHash: 'T', rotation },
    }) as unknown as CertificateAuthority
  const trustBoth = { phase: 'TrustBoth', from: 'A', to: 'B' }
  const finding =
    (all: Readonly<Record<string, CertificateAuthority>>): FindAuthority =>
    (key) =>
      Object.hasOwn(all, key) ? all[key] : undefined

  it.each([
    ['trusts both', trustBoth, { authority: 'data/x', from: 'A', to: 'B', trustBundleHash: 'T' }],
    ['is moving its certificates', { ...trustBoth, phase: 'Signing' }, { authority: 'data/x', to: 'B' }],
    ['is about to drop the former', { ...trustBoth, phase: 'DropSoak' }, { authority: 'data/x', to: 'B' }],
    ['is only prepared', { ...trustBoth, phase: 'Prepared' }, undefined],
    ['has dropped the former', { ...trustBoth, phase: 'Dropped' }, undefined],
    ['keeps its key', { ...trustBoth, mode: 'ReuseKey' }, undefined],
    ['rests', undefined, undefined],
  ])('of one that %s', (_, rotation, wanted) =>
    expect(rotatingAt('data/x', finding({ 'data/x': authorityOf(rotation) }))).toEqual(wanted),
  )
  it('is that of the highest, whose certificate is in the files of servers', () => {
    const all = { 'data/x': authorityOf({ ...trustBoth, to: 'C' }, 'r'), 'data/r': authorityOf(trustBoth) }
    expect(rotatingAt('data/x', finding(all))).toMatchObject({ authority: 'data/r', to: 'B', trustBundleHash: 'T' })
    expect(rotatingAt('data/x', finding({ 'data/x': authorityOf(undefined, 'x') }))).toBeUndefined()
  })
  it('is asked of servers with the CA of clients and their names, and of components with their own', () => {
    const all = { 'data/clients': authorityOf(trustBoth), 'data/orders-ca': authorityOf({ ...trustBoth, to: 'C' }) }
    const one = plan(
      { clientAuthorityRef: { name: 'clients' }, clients: [{ name: 'app' }, { name: 'report' }] },
      ['orders-report'],
      0,
      finding(all),
    )
    expect(one.endpoints[0]).toMatchObject({
      clientAuthority: 'data/clients',
      proof: { authority: 'data/clients', to: 'B', templates: ['data/orders-app'] },
    })
    const etcd = plan({ engine: 'Etcd', clients: [{ name: 'app' }] }, [], 0, finding(all)).endpoints
    const of = (port: string) => etcd.find(({ address }) => address.endsWith(port))
    expect(of(':2379')?.proof).toMatchObject({
      to: 'C',
      templates: expect.arrayContaining(['data/orders-app']) as string[],
    })
    expect(of(':2380')?.proof).toMatchObject({ to: 'C', templates: ['data/orders-peer'] })
  })
  it('is not asked of managed servers, unless their clients have a CA of ours', () => {
    const managed = { engine: 'External', topology: undefined, connection: { host: 'db.example.com' } }
    const all = { 'data/orders-ca': authorityOf(trustBoth), 'data/clients': authorityOf(trustBoth) }
    expect(plan(managed, [], 0, finding(all)).endpoints[0]).not.toHaveProperty('clientAuthority')
    const own = plan({ ...managed, clientAuthorityRef: { name: 'clients' } }, [], 0, finding(all)).endpoints[0]
    expect(own?.proof).toMatchObject({ to: 'B', templates: [] })
  })
})
