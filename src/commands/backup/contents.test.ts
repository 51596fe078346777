import { beforeAll, describe, expect, it } from 'vitest'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { configMaps, secrets } from '../../resources/core.ts'
import { issuedCertificates } from '../../resources/issued-certificate.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { namespace, newCluster } from '../../testing.ts'
import { asContents, type BackupContents } from './contents.ts'
import { backedUp, lived, restored } from './world.fixture.ts'

type Loose = Record<string, Record<string, unknown>[]>
type Change = (contents: Loose) => void

const first = (contents: Loose, list: string): Record<string, unknown> => contents[list]?.[0] ?? {}
const metadata = (object: Record<string, unknown>) => object['metadata'] as Record<string, unknown>
const spec = (object: Record<string, unknown>) => object['spec'] as Record<string, unknown>
const secret = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'kube-system', uid: 'u1' },
  ...more,
})

const hostile: { name: string; change: Change; says: string }[] = [
  {
    name: 'an object of another kind',
    change: (all) => (first(all, 'secrets')['kind'] = 'ClusterRoleBinding'),
    says: 'secrets.0.kind',
  },
  {
    name: 'a kind in the list of another',
    change: (all) => all['certificates']?.push(first(all, 'ledger')),
    says: 'certificates.13.kind',
  },
  {
    name: 'another group',
    change: (all) => (first(all, 'authorities')['apiVersion'] = 'rbac/v1'),
    says: 'authorities.0.apiVersion',
  },
  {
    name: 'a name that leads elsewhere',
    change: (all) => (metadata(first(all, 'secrets'))['name'] = '../../x'),
    says: 'secrets.0.metadata.name',
  },
  {
    name: 'a namespace that leads elsewhere',
    change: (all) => (metadata(first(all, 'ledger'))['namespace'] = 'a/b'),
    says: 'ledger.0.metadata.namespace',
  },
  {
    name: 'no namespace',
    change: (all) => delete metadata(first(all, 'ledger'))['namespace'],
    says: 'ledger.0.metadata.namespace',
  },
  {
    name: 'a name that is no text',
    change: (all) => (metadata(first(all, 'secrets'))['name'] = { toString: 1 }),
    says: 'secrets.0.metadata.name',
  },
  {
    name: 'a finalizer',
    change: (all) => (metadata(first(all, 'authorities'))['finalizers'] = ['x/y']),
    says: 'finalizers',
  },
  {
    name: 'a Secret that nothing refers to',
    change: (all) => all['secrets']?.push(secret('admin')),
    says: 'Secret kube-system/admin belongs to none',
  },
  {
    name: 'a Secret that claims an owner elsewhere',
    change: (all) =>
      all['secrets']?.push({
        ...secret('admin'),
        metadata: { ...metadata(secret('admin')), annotations: { 'dbtls.dev/owner': 'CertificateAuthority/ca' } },
      }),
    says: 'Secret kube-system/admin belongs to none',
  },
  {
    name: 'a token of the cluster',
    change: (all) => (first(all, 'secrets')['type'] = 'kubernetes.io/service-account-token'),
    says: 'secrets.0.type',
  },
  {
    name: 'data that is no base64',
    change: (all) => (first(all, 'secrets')['data'] = { a: '%' }),
    says: 'secrets.0.data.a',
  },
  {
    name: 'a key that leads elsewhere',
    change: (all) => (first(all, 'secrets')['data'] = { '../a': '' }),
    says: 'secrets.0.data',
  },
  {
    name: 'a ledger of another CA',
    change: (all) => ((spec(first(all, 'ledger'))['authorityRef'] as { name: string }).name = 'other'),
    says: 'belongs to none',
  },
  {
    name: 'a certificate of another CA',
    change: (all) => (spec(first(all, 'certificates'))['authorityRef'] = { name: 'other' }),
    says: 'belongs to none',
  },
  {
    name: 'an object twice',
    change: (all) => all['secrets']?.push(structuredClone(first(all, 'secrets'))),
    says: 'is there twice',
  },
  {
    name: 'a uid twice',
    change: (all) => (metadata(first(all, 'secrets'))['uid'] = metadata(first(all, 'ledger'))['uid']),
    says: 'is the uid of two objects',
  },
  {
    name: 'a spec that no schema knows',
    change: (all) => (first(all, 'authorities')['spec'] = { source: {} }),
    says: 'spec.source',
  },
  {
    name: 'a spec without members',
    change: (all) => (first(all, 'certificates')['spec'] = {}),
    says: 'Required value',
  },
  { name: 'no CA at all', change: (all) => (all['authorities'] = []), says: 'authorities' },
  { name: 'a list more', change: (all) => (all['roles'] = []), says: 'Unrecognized key' },
]

describe('the contents of a file', () => {
  let contents: BackupContents
  beforeAll(async () => {
    const old = await lived()
    contents = await backedUp(old.cluster, old.clock)
    await old.stop()
  }, 120_000)

  it('are taken as they were written', () => {
    expect(asContents(JSON.parse(JSON.stringify(contents)))).toEqual(contents)
  })
  it.each(hostile)('are refused with $name', ({ change, says }) => {
    const copy = JSON.parse(JSON.stringify(contents)) as Loose
    change(copy)
    expect(() => asContents(copy)).toThrow(says)
    expect(() => asContents(copy)).toThrow('its contents are not those of a backup')
  })
  it.each([['"labels":{"__proto__":"x"}'], ['"labels":{"__proto__":{"admin":"x"}}']])(
    'are refused with %s',
    (member) => {
      const text = JSON.stringify(contents).replace('"metadata":{', `"metadata":{${member},`)
      expect(() => asContents(JSON.parse(text))).toThrow('has a member __proto__')
      expect(({} as { admin?: string }).admin).toBeUndefined()
    },
  )
  it.each([[null], [[]], ['text'], [7], [{}]])('are not %j', (value) => {
    expect(() => asContents(value)).toThrow('its contents are not those of a backup')
  })

  it('name all that is in the way, and then nothing is written', async () => {
    const clock = new ManualClock(Date.parse(contents.createdAt))
    const cluster = newCluster(clock)
    const [authority] = contents.authorities
    if (authority === undefined) throw new Error('there is no CA')
    const { name } = authority.metadata
    const options = { fieldManager: 'person' }
    await cluster.create(certificateAuthorities, { ...authority, metadata: { name, namespace } }, options)
    const taken = { apiVersion: 'v1', data: { a: 'eA==' } }
    await cluster.create(secrets, { ...taken, kind: 'Secret', metadata: { name: 'orders-tls', namespace } }, options)
    await cluster.create(configMaps, { ...taken, kind: 'ConfigMap', metadata: { name: 'roots', namespace } }, options)
    const { code, out, err } = await restored(cluster, clock, contents)
    expect([code, out]).toEqual([1, ''])
    expect(err.split('\n')).toEqual([
      `in the way CertificateAuthority data/${name} exists, and does not come from this backup`,
      'in the way ConfigMap data/roots exists, and holds something else',
      'in the way Secret data/orders-tls exists, and was not made by dbtls for this',
      'CommandError: nothing was written: these 3 are in the way',
    ])
    expect((await cluster.list(issuedCertificates)).items).toEqual([])
  })
})
