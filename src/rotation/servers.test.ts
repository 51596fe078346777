import { describe, expect, it } from 'vitest'
import type { Caches } from '../control/context.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import { serversOf } from './servers.ts'

const ca = (rotation: object = { phase: 'TrustBoth' }, source: object = { selfSigned: {} }): CertificateAuthority =>
  ({
    metadata: { name: 'ca', namespace: 'data' },
    spec: { source },
    status: { trustBundleHash: 'T', rotation: { formerTrustBundleHash: 'F', ...rotation } },
  }) as unknown as CertificateAuthority

const certificate = {
  metadata: { name: 'orders-server', namespace: 'data' },
  spec: { role: 'Server', dnsNames: ['orders'] },
  status: { serialNumber: 'AA' },
} as unknown as DatabaseCertificate

interface Case {
  readonly row?: object
  readonly reload?: object
  readonly spec?: object
  readonly rotation?: object
  readonly signs?: boolean
  /** Of the CA. */
  readonly source?: object
}

const look = ({ row, reload, spec = {}, rotation, signs = false, source }: Case) => {
  const authority = ca(rotation, source)
  const profile = {
    metadata: { name: 'orders', namespace: 'data' },
    spec: { engine: 'MySQL', authorityRef: { name: 'ca' }, clients: [{ name: 'app' }], ...spec },
    status: {
      ...(row === undefined ? {} : { endpoints: [{ address: 'orders:3306', servedSerial: 'AA', ...row }] }),
      ...(reload === undefined ? {} : { reload }),
    },
  } as unknown as DatabaseTLSProfile
  const caches = {
    authorities: { store: { get: () => authority } },
    profiles: { store: { by: () => [profile] } },
    certificates: { store: { by: () => [certificate] } },
    namespaces: undefined,
  } as unknown as Caches
  const { reloads, unproved, notProvable, proved, notServing } = serversOf(
    caches,
    [{ authority, parent: undefined, isStranger: () => false }],
    {
      ...{ to: 'N', signs, asksServers: true },
    },
  )
  const counts = [reloads, unproved, notProvable, notServing].map((some) => some.length)
  return { reloads: counts[0], unproved: counts[1], notProvable: counts[2], proved, notServing: counts[3] }
}

const below = { intermediate: { authorityRef: { name: 'root' } } }
const none = { reloads: 0, unproved: 0, notProvable: 0, proved: 0, notServing: 0 }

describe('a server', () => {
  it.each([
    { name: 'that has proved it', row: { trustProof: 'Proved', trusts: ['C', 'N'] }, is: { proved: 1 } },
    {
      name: 'that has proved to trust the present CA alone',
      row: { trustProof: 'Proved', trusts: ['C'] },
      is: { unproved: 1 },
    },
    { name: 'that refuses the next CA', row: { trustProof: 'Refused', trusts: ['C'] }, is: { unproved: 1 } },
    { name: 'of which nothing is known', row: {}, is: { unproved: 1 } },
    { name: 'that asks for no certificate', row: { trustProof: 'NotRequested' }, is: { notProvable: 1 } },
    { name: 'that takes anybody', row: { trustProof: 'Anybody' }, is: { notProvable: 1 } },
    { name: 'that may not be asked', row: { standing: 'NotAsked', servedSerial: undefined }, is: { notProvable: 1 } },
    {
      name: 'that has proved it at those addresses that may be asked',
      ...{ row: { standing: 'NotAsked', trustProof: 'Proved', trusts: ['C', 'N'] }, is: { notProvable: 1 } },
    },
    {
      name: 'that asks for no certificate at those addresses that may be asked',
      ...{ row: { standing: 'NotAsked', trustProof: 'NotRequested' }, is: { notProvable: 1 } },
    },
    {
      name: 'that refuses the next CA at one of those addresses that may be asked',
      ...{ row: { standing: 'NotAsked', trustProof: 'Refused', trusts: ['C'] }, is: { unproved: 1 } },
    },
    {
      name: 'that has not answered at one of those addresses that may be asked',
      ...{ row: { standing: 'NotAsked', trustProof: 'Unknown' }, is: { unproved: 1 } },
    },
    {
      name: 'that served a former certificate at those addresses that may be asked',
      ...{
        row: { standing: 'NotAsked', trustProof: 'Anybody', servedSerial: 'BB' },
        is: { notProvable: 1, notServing: 1 },
      },
    },
    {
      name: 'that takes nobody, of a profile without clients',
      ...{ row: { trustProof: 'Refused', trusts: [] }, spec: { clients: [] }, is: { notProvable: 1 } },
    },
    {
      name: 'that takes clients of another CA',
      ...{ row: { trustProof: 'Unknown', clientAuthority: 'data/other' }, is: {} },
    },
    { name: 'that was listed a moment ago', spec: { probe: { endpoints: ['orders:3306'] } }, is: { unproved: 1 } },
    {
      name: 'that serves a former certificate',
      ...{ row: { trustProof: 'Anybody', servedSerial: 'BB', standing: 'Old' }, is: { notProvable: 1, notServing: 1 } },
    },
    {
      name: 'that does not answer',
      ...{ row: { servedSerial: undefined, standing: 'Unreachable' }, is: { unproved: 1, notServing: 1 } },
    },
    {
      name: 'that serves what is none of ours',
      ...{ row: { trustProof: 'Anybody', servedSerial: 'BB', standing: 'Other' }, is: { notProvable: 1 } },
    },
  ])('$name', ({ is, ...one }) => {
    expect(look(one)).toEqual({ ...none, ...is })
  })
})

describe('a server, when the next CA signs,', () => {
  it.each([
    { name: 'that was seen to need it alone', row: { verifiesUnder: 'N' }, is: 0 },
    { name: 'that shows its certificate with the former chain', row: {}, is: 1 },
    { name: 'that was seen so for another CA', row: { verifiesUnder: 'M' }, is: 1 },
    {
      name: 'that needs no other and serves a former certificate',
      row: { verifiesUnder: 'N', servedSerial: 'BB' },
      is: 1,
    },
    {
      name: 'that serves what is none of ours and hangs on the former CA',
      ...{ row: { servedSerial: 'BB', standing: 'Other' }, is: 1 },
    },
    {
      name: 'that serves what is none of ours and hangs on others',
      ...{ row: { servedSerial: 'BB', standing: 'Other', verifiesUnder: 'N' }, is: 0 },
    },
    { name: 'that sends no chain at all', row: { standing: 'NotVerified', verifiesUnder: 'N' }, is: 0 },
    { name: 'that has no TLS', row: { standing: 'NoTLS', servedSerial: undefined }, is: 0 },
    { name: 'that is not asked', row: { standing: 'NotAsked', servedSerial: undefined }, is: 0 },
    { name: 'that shows the former chain, and has an address that is not asked', row: { standing: 'NotAsked' }, is: 1 },
    {
      name: 'that needs the next one alone, and has an address that is not asked',
      ...{ row: { standing: 'NotAsked', verifiesUnder: 'N' }, is: 0 },
    },
    { name: 'that is managed by others', row: {}, spec: { engine: 'External' }, is: 0 },
    { name: 'of a CA below a root, with the former chain', row: {}, source: below, is: 0 },
    { name: 'of a CA below a root, with a former certificate', row: { servedSerial: 'BB' }, source: below, is: 1 },
    { name: 'that was listed a moment ago', spec: { probe: { endpoints: ['orders:3306'] } }, is: 1 },
    {
      name: 'that was listed a moment ago and is managed by others',
      ...{ spec: { engine: 'External', probe: { endpoints: ['orders:3306'] } }, is: 0 },
    },
    { name: 'at an address that nobody can read', spec: { probe: { endpoints: ['orders'] } }, is: 0 },
  ])('$name', ({ is, ...one }) => {
    expect(look({ ...one, signs: true }).notServing).toBe(is)
  })
})

describe('a profile with more servers than are asked', () => {
  const proved = (at: number) => ({
    ...{ trustProof: 'Proved', trusts: ['N'], address: `${at}:3306` },
    ...{ servedSerial: 'AA', verifiesUnder: 'N' },
  })
  const rows = (addresses: readonly string[]) => addresses.map((address, at) => ({ ...proved(at), address }))
  const seen = (spec: object, addresses: readonly string[]) => {
    const authority = ca()
    const profile = {
      metadata: { name: 'orders', namespace: 'data' },
      spec: { engine: 'MySQL', authorityRef: { name: 'ca' }, ...spec },
      status: { endpoints: rows(addresses) },
    }
    const caches = {
      authorities: { store: { get: () => authority } },
      profiles: { store: { by: () => [profile] } },
      certificates: { store: { by: () => [certificate] } },
      namespaces: undefined,
    } as unknown as Caches
    return serversOf(caches, [{ authority, parent: undefined, isStranger: () => false }], {
      to: 'N',
      signs: true,
      asksServers: true,
    })
  }

  it('counts the others among those that cannot be asked, and names them', () => {
    const all = Array.from({ length: 300 }, (_, at) => `10.0.${at >> 8}.${at & 255}:3306`)
    for (const count of [1, 255, 256, 300]) {
      const { proved: sure, ...others } = seen({ probe: { endpoints: all } }, all.slice(0, count))
      const { unproved, notServing, notProvable } = others
      expect([sure, unproved.length, notServing.length, notProvable.length]).toEqual([
        count,
        count < 256 ? 300 - count : 0,
        count < 256 ? 300 - count : 0,
        count < 256 ? 0 : 300 - count,
      ])
      if (count === 256)
        expect(notProvable[0]).toMatchObject({
          name: 'data/orders: 10.0.1.0:3306',
          why: expect.stringContaining('only 256'),
        })
    }
  })

  it('does so of the pods of a StatefulSet', () => {
    const pods = Array.from({ length: 257 }, (_, at) => `orders-${at}.orders.data.svc.cluster.local:3306`)
    const topology = { statefulSet: { name: 'orders', replicas: 257 }, certificatePer: 'Pod' }
    expect(seen({ topology }, pods.slice(0, 256)).notProvable).toMatchObject([{ name: `data/orders: ${pods[256]}` }])
  })
})

describe('what servers have loaded', () => {
  const of = (more: object) => ({ authorities: [{ name: 'data/ca', trustBundleHash: 'T', ...more }] })
  it.each([
    { name: 'is the present bundle', reload: of({}), is: 0 },
    { name: 'is a former one', reload: of({ trustBundleHash: 'O' }), is: 1 },
    { name: 'was delivered and is not seen yet', reload: of({ delivered: 'T', trustBundleHash: 'O' }), is: 1 },
    {
      name: 'is the same in the order of the former CA',
      reload: of({ trustBundleHash: 'F' }),
      rotation: { phase: 'Signing' },
      is: 0,
    },
    {
      name: 'has an order that is of no use any more',
      reload: of({ trustBundleHash: 'F' }),
      rotation: { phase: 'Dropped' },
      is: 1,
    },
    { name: 'is of another CA', reload: { authorities: [{ name: 'data/other', trustBundleHash: 'O' }] }, is: 0 },
    { name: 'is not known', reload: {}, is: 0 },
    {
      name: 'is pending',
      reload: {
        pending: [
          { name: 'a', reason: 'Waiting', message: 'x' },
          { name: 'b', reason: 'Waiting', message: 'y' },
        ],
      },
      is: 2,
    },
  ])('$name', ({ is, ...one }) => {
    expect(look(one).reloads).toBe(is)
  })
})
