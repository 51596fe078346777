import { describe, expect, it } from 'vitest'
import { ApiError, ifFound } from './cluster/errors.ts'
import type { Cluster, KubeObject } from './cluster/port.ts'
import { readJks } from './material/jks.ts'
import { readPkcs12 } from './material/pkcs12-reader.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { type ConfigMap, configMaps, namespaces, type Secret, secrets } from './resources/core.ts'
import { interrupted } from './faults.fixture.ts'
import {
  authority,
  certificate,
  configMapOf,
  emptyCluster,
  entriesOf,
  fresh,
  getAuthority,
  namespace,
  person,
  put,
  quiet,
  ready,
  revoke,
  somebody,
  start,
  until,
} from './testing.ts'

const pem = { key: 'ca.crt', content: 'TrustBundle' }
const target = (more: object = {}) => ({ kind: 'ConfigMap', name: 'trust', items: [pem], ...more })
const withTargets = (...targets: object[]) => authority({ trustBundle: { targets } })

const makeNamespace = (cluster: Cluster, name: string, labels: Record<string, string> = {}) =>
  cluster.apply(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }, person)
const configMap = (cluster: Cluster, space: string, name = 'trust') =>
  ifFound<ConfigMap>(cluster.get(configMaps, { namespace: space, name }))
const secret = (cluster: Cluster, space: string, name = 'trust') =>
  ifFound<Secret>(cluster.get(secrets, { namespace: space, name }))
const foreignMap = (space: string, annotations: Record<string, string> = {}): ConfigMap => ({
  ...configMapOf('trust', { theirs: 'x' }),
  metadata: { name: 'trust', namespace: space, annotations, labels: { team: 'theirs' } },
})
/** Until every target is as it should be. */
const current = (cluster: Cluster, count: number, name = 'ca') =>
  until(`${count} targets of ${name}`, async () => {
    const { metadata, status } = await getAuthority(cluster, name)
    const { trustTargets } = status ?? {}
    return (
      trustTargets?.wanted === count &&
      trustTargets.current === count &&
      status?.observedGeneration === metadata.generation &&
      trustTargets
    )
  })
const saying = (cluster: Cluster, words: string, name = 'ca') =>
  until(`${name} to say "${words}"`, async () => {
    const message = (await getAuthority(cluster, name)).status?.trustTargets?.message
    return message?.includes(words) === true && message
  })
const gone = (cluster: Cluster, space: string, kind: 'ConfigMap' | 'Secret' = 'ConfigMap') =>
  until(`${kind} ${space}/trust to go`, async () =>
    (await (kind === 'Secret' ? secret(cluster, space) : configMap(cluster, space))) === undefined ? true : undefined,
  )

describe('the trust bundle', () => {
  it('stands in every form in a ConfigMap and in a Secret', async () => {
    const { cluster, operator } = await fresh()
    const items = [
      pem,
      { key: 'signer.crt', content: 'AuthorityCertificate' },
      { key: 'trust.p12', content: 'PKCS12Truststore', alias: 'mysqlcacert' },
      { key: 'trust.jks', content: 'JKSTruststore' },
    ]
    await put(cluster, withTargets(target({ items }), target({ items, kind: 'Secret' })))
    await current(cluster, 2)
    await quiet(operator)
    const map = await configMap(cluster, namespace)
    const kept = await secret(cluster, namespace)
    const root = Buffer.from((await secret(cluster, namespace, 'ca-ca'))?.data?.['ca.crt'] ?? '', 'base64').toString()
    expect(map?.data).toEqual({ 'ca.crt': root, 'signer.crt': root })
    expect(Object.keys(map?.binaryData ?? {}).toSorted()).toEqual(['trust.jks', 'trust.p12'])
    expect(kept?.type).toBe('Opaque')
    for (const data of [map?.binaryData, kept?.data]) {
      const p12 = await readPkcs12(Buffer.from(data?.['trust.p12'] ?? '', 'base64'), 'changeit')
      expect(p12.trusted.map(({ alias }) => alias)).toEqual(['mysqlcacert'])
      const jks = readJks(Buffer.from(data?.['trust.jks'] ?? '', 'base64'), 'changeit')
      expect(jks.trusted.map(({ alias }) => alias)).toEqual(['ca'])
    }
    expect(map?.metadata.ownerReferences ?? []).toEqual([])
    expect(map?.metadata.labels?.['dbtls.dev/trust-of']).toBe('data.ca')
  })

  it('is written once, and nothing is read or written at rest or after a restart', async () => {
    const { cluster, clock, operator, writes, stop } = await fresh()
    const items = [pem, { key: 'trust.p12', content: 'PKCS12Truststore' }]
    await makeNamespace(cluster, 'one')
    await put(cluster, withTargets(target({ items, namespaces: { from: 'All' } })))
    await current(cluster, 2)
    await quiet(operator)
    expect(writes.filter(({ plural }) => plural === 'configmaps')).toHaveLength(2)
    const before = writes.length
    await clock.advance(13 * 3_600_000)
    await quiet(operator)
    expect(writes).toHaveLength(before)
    await stop()
    const again = await start(cluster, clock)
    await quiet(again.operator)
    await clock.advance(60_000)
    await quiet(again.operator)
    expect(again.writes).toEqual([])
    // The Secret of the authority; none of the targets.
    expect(again.reads).toBe(1)
  })

  it.each([
    { from: 'Same', expected: [namespace] },
    { from: 'All', expected: [namespace, 'gold', 'tin'] },
    { from: 'Names', names: ['gold'], expected: ['gold'] },
    { from: 'Selector', selector: { matchLabels: { tier: 'gold' } }, expected: ['gold'] },
  ])('is written where $from says', async ({ expected, ...selection }) => {
    const { cluster, operator } = await fresh()
    await makeNamespace(cluster, 'gold', { tier: 'gold' })
    await makeNamespace(cluster, 'tin')
    await put(cluster, withTargets(target({ namespaces: selection })))
    await current(cluster, expected.length)
    await quiet(operator)
    const { items } = await cluster.list(configMaps)
    expect(new Set(items.map(({ metadata }) => metadata.namespace))).toEqual(new Set(expected))
  })

  it('follows namespaces that come, change their labels and go', async () => {
    const { cluster, operator } = await fresh()
    await put(
      cluster,
      withTargets(target({ namespaces: { from: 'Selector', selector: { matchLabels: { db: 'yes' } } } })),
    )
    await current(cluster, 0)
    await makeNamespace(cluster, 'late', { db: 'yes' })
    await current(cluster, 1)
    await makeNamespace(cluster, 'late', {})
    await gone(cluster, 'late')
    await current(cluster, 0)
    await makeNamespace(cluster, 'late', { db: 'yes' })
    await current(cluster, 1)
    await cluster.delete(namespaces, { name: 'late' })
    await current(cluster, 0)
    await quiet(operator)
  })

  it('is repaired when it is changed or deleted, and keeps what others added', async () => {
    const { cluster, operator } = await fresh()
    await put(cluster, withTargets(target()))
    await current(cluster, 1)
    await quiet(operator)
    const right = (await configMap(cluster, namespace))?.data?.['ca.crt']
    await cluster.apply(
      configMaps,
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'trust', namespace, labels: { team: 'x' } },
        data: { 'ca.crt': 'evil', more: 'theirs' },
      },
      somebody,
    )
    const mended = await until('the repair', async () => {
      const map = await configMap(cluster, namespace)
      return map?.data?.['ca.crt'] === right && map
    })
    expect(mended.data?.['more']).toBe('theirs')
    expect(mended.metadata.labels?.['team']).toBe('x')
    await cluster.delete(configMaps, { namespace, name: 'trust' })
    await until('the ConfigMap again', async () => (await configMap(cluster, namespace))?.data?.['ca.crt'] === right)
  })

  it('keeps the bytes of a keystore where only a mark was taken away', async () => {
    const { cluster, operator } = await fresh()
    await put(cluster, withTargets(target({ items: [{ key: 'trust.p12', content: 'PKCS12Truststore' }] })))
    await current(cluster, 1)
    await quiet(operator)
    const map = await configMap(cluster, namespace)
    if (map === undefined) throw new Error('no ConfigMap')
    const { labels: _, ...metadata } = map.metadata
    await cluster.update(configMaps, { ...map, metadata }, person)
    const mended = await until('the label', async () => {
      const seen = await configMap(cluster, namespace)
      return seen?.metadata.labels?.['dbtls.dev/trust-of'] === 'data.ca' && seen
    })
    expect(mended.binaryData).toEqual(map.binaryData)
  })

  it('drops a key that is no longer listed', async () => {
    const { cluster } = await fresh()
    await put(cluster, withTargets(target({ items: [pem, { key: 'trust.jks', content: 'JKSTruststore' }] })))
    await current(cluster, 1)
    await put(cluster, withTargets(target()))
    await until('the key to go', async () => (await configMap(cluster, namespace))?.binaryData === undefined)
    expect(Object.keys((await configMap(cluster, namespace))?.data ?? {})).toEqual(['ca.crt'])
  })

  it.each(['ConfigMap', 'Secret'] as const)('removes a %s when the authority is deleted', async (kind) => {
    const { cluster } = await fresh()
    await makeNamespace(cluster, 'one')
    await put(cluster, withTargets(target({ kind, namespaces: { from: 'All' } })))
    await current(cluster, 2)
    await cluster.delete(certificateAuthorities, { namespace, name: 'ca' })
    await gone(cluster, 'one', kind)
    await gone(cluster, namespace, kind)
  })

  it('is swept when the authority went while nobody looked', async () => {
    const { cluster, clock, stop, operator } = await fresh()
    await makeNamespace(cluster, 'one')
    await put(cluster, withTargets(target({ namespaces: { from: 'Names', names: ['one'] } })))
    await current(cluster, 1)
    await quiet(operator)
    await stop()
    await cluster.delete(certificateAuthorities, { namespace, name: 'ca' })
    await start(cluster, clock)
    await gone(cluster, 'one')
  })

  it('holds the revocation list, and each that follows', async () => {
    const { cluster } = await fresh()
    const items = [pem, { key: 'ca.crl', content: 'RevocationList' }]
    await put(cluster, authority({ crl: {}, trustBundle: { targets: [target({ items })] } }))
    await put(cluster, certificate())
    await ready(cluster)
    await current(cluster, 1)
    const first = await configMap(cluster, namespace)
    expect(first?.data?.['ca.crl']).toBe((await configMap(cluster, namespace, 'ca-crl'))?.data?.['ca.crl'])
    expect(first?.data?.['ca.crl']).toMatch(/^-----BEGIN X509 CRL-----/)
    const [entry] = await entriesOf(cluster, 'orders')
    await revoke(cluster, entry?.spec.serialNumber, { reason: 'keyCompromise' })
    await until('the next list', async () => {
      const list = (await configMap(cluster, namespace, 'ca-crl'))?.data?.['ca.crl']
      return list !== first?.data?.['ca.crl'] && (await configMap(cluster, namespace))?.data?.['ca.crl'] === list
    })
  })

  it('is that of an authority which is only trusted', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority())
    await until('the root', async () => ((await secret(cluster, namespace, 'ca-ca')) === undefined ? undefined : true))
    const root = Buffer.from((await secret(cluster, namespace, 'ca-ca'))?.data?.['ca.crt'] ?? '', 'base64').toString()
    const source = { trustOnly: { inline: root } }
    await put(cluster, authority({ source, subject: undefined, trustBundle: { targets: [target()] } }, 'anchor'))
    await current(cluster, 1, 'anchor')
    expect((await configMap(cluster, namespace))?.data).toEqual({ 'ca.crt': root })
  })

  it('forgets status.trustTargets with the last target', async () => {
    const { cluster } = await fresh()
    await put(cluster, withTargets(target()))
    await current(cluster, 1)
    await put(cluster, authority())
    await gone(cluster, namespace)
    await until('the status', async () => (await getAuthority(cluster)).status?.trustTargets === undefined)
  })
})

describe('an object that somebody else made', () => {
  it('is left alone and named, and used when it goes', async () => {
    const { cluster, events, operator } = await fresh()
    const made = await cluster.create(configMaps, foreignMap(namespace), person)
    await put(cluster, withTargets(target()))
    const message = await saying(cluster, 'was not made by dbtls')
    expect(message).toContain('ConfigMap "data/trust"')
    await quiet(operator)
    expect((await configMap(cluster, namespace))?.metadata.resourceVersion).toBe(made.metadata.resourceVersion)
    expect(events.filter(({ reason }) => reason === 'TrustTargetsIncomplete')).toHaveLength(1)
    await cluster.delete(configMaps, { namespace, name: 'trust' })
    await current(cluster, 1)
  })

  it('is adopted where it asks for it, and given back without our keys', async () => {
    const { cluster, events } = await fresh()
    await cluster.create(configMaps, foreignMap(namespace, { 'dbtls.dev/adopt': 'true' }), person)
    await put(cluster, withTargets(target()))
    await current(cluster, 1)
    const adopted = await configMap(cluster, namespace)
    expect(Object.keys(adopted?.data ?? {}).toSorted()).toEqual(['ca.crt', 'theirs'])
    expect(events.map(({ reason }) => reason)).toContain('Adopted')
    await cluster.delete(certificateAuthorities, { namespace, name: 'ca' })
    const left = await until('our keys to go', async () => {
      const map = await configMap(cluster, namespace)
      return map?.data?.['ca.crt'] === undefined && map
    })
    expect(left.data).toEqual({ theirs: 'x' })
    expect(left.metadata.labels).toEqual({ team: 'theirs' })
    expect(left.metadata.annotations).toEqual({ 'dbtls.dev/adopt': 'true' })
  })

  it('that was added to ours survives the end of the bundle', async () => {
    const { cluster } = await fresh()
    await put(cluster, withTargets(target()))
    await current(cluster, 1)
    const map = await configMap(cluster, namespace)
    await cluster.update(configMaps, { ...map, data: { ...map?.data, more: 'theirs' } } as ConfigMap, person)
    await cluster.delete(certificateAuthorities, { namespace, name: 'ca' })
    const left = await until('our key to go', async () => {
      const seen = await configMap(cluster, namespace)
      return seen?.data?.['ca.crt'] === undefined && seen
    })
    expect(left.data).toEqual({ more: 'theirs' })
    expect(left.metadata.labels).toBeUndefined()
  })

  it('is the Secret of a certificate or of the authority itself: both stay as they are', async () => {
    const { cluster } = await fresh()
    await put(
      cluster,
      withTargets(target({ kind: 'Secret', name: 'ca-ca', items: [{ key: 'x', content: 'TrustBundle' }] })),
    )
    await saying(cluster, 'belongs to CertificateAuthority/ca')
    expect(Object.keys((await secret(cluster, namespace, 'ca-ca'))?.data ?? {}).toSorted()).toEqual([
      'ca.crt',
      'tls.crt',
      'tls.key',
    ])
  })

  it('belongs to the authority that wrote it first, and the other one is told', async () => {
    const { cluster, operator } = await fresh()
    await put(cluster, withTargets(target()))
    await current(cluster, 1)
    await put(cluster, authority({ trustBundle: { targets: [target()] } }, 'second'))
    await saying(cluster, 'holds the trust bundle of CertificateAuthority data/ca', 'second')
    await quiet(operator)
    const first = await configMap(cluster, namespace)
    await cluster.delete(certificateAuthorities, { namespace, name: 'ca' })
    await current(cluster, 1, 'second')
    const second = await configMap(cluster, namespace)
    expect(second?.metadata.uid).not.toBe(first?.metadata.uid)
    expect(second?.data?.['ca.crt']).not.toBe(first?.data?.['ca.crt'])
  })
})

describe('targets that cannot be', () => {
  it.each([
    {
      name: 'two of one name',
      targets: [target(), target()],
      says: 'is written by spec.trustBundle.targets[0] already',
    },
    {
      name: 'a revocation list without one',
      targets: [target({ items: [{ key: 'ca.crl', content: 'RevocationList' }] })],
      says: 'needs spec.crl',
    },
  ])('are explained: $name', async ({ targets, says }) => {
    const { cluster } = await fresh()
    await put(cluster, withTargets(...targets))
    await saying(cluster, says)
  })
})

describe('a cluster that refuses', () => {
  const refusing = async (where: string, status: number, spaces: readonly string[], times = Infinity) => {
    const { clock, cluster } = emptyCluster()
    const refuse = (object: KubeObject): Promise<void> => {
      if (object.metadata.namespace !== where) return Promise.resolve()
      const message = status === 404 ? `namespaces "${where}" not found` : 'exceeded quota'
      return Promise.reject(new ApiError({ status, reason: status === 404 ? 'NotFound' : 'Forbidden', message }))
    }
    for (const name of spaces) await makeNamespace(cluster, name)
    const started = await start(interrupted(cluster, 'apply', 'configmaps', refuse, times), clock)
    return { clock, cluster, ...started }
  }

  it('one namespace keeps no other from its bundle, and is tried again', async () => {
    // The first write of the two.
    const { cluster, clock } = await refusing('first', 403, ['first', 'second'], 2)
    await put(cluster, withTargets(target({ namespaces: { from: 'Names', names: ['first', 'second'] } })))
    const message = await saying(cluster, 'exceeded quota')
    expect(message).toContain('Namespace "first"')
    expect(await configMap(cluster, 'second')).toBeDefined()
    expect((await getAuthority(cluster)).status?.trustTargets).toMatchObject({ wanted: 2, current: 1 })
    await clock.advance(6 * 60_000)
    expect((await current(cluster, 2)).message).toBeUndefined()
  })

  it.each([
    { name: 'to be deleted', verb: 'delete', annotations: undefined, remains: undefined },
    { name: 'to be given back', verb: 'apply', annotations: { 'dbtls.dev/adopt': 'true' }, remains: { theirs: 'x' } },
  ] as const)('one that changed just when it was $name is looked at again at once', async (row) => {
    const { clock, cluster, stop } = await fresh()
    if (row.annotations !== undefined) await cluster.create(configMaps, foreignMap(namespace, row.annotations), person)
    await put(cluster, withTargets(target()))
    await current(cluster, 1)
    await stop()
    const conflict = new ApiError({ status: 409, reason: 'Conflict', message: 'overtaken' })
    await start(
      interrupted(cluster, row.verb, 'configmaps', () => Promise.reject(conflict)),
      clock,
    )
    await cluster.delete(certificateAuthorities, { namespace, name: 'ca' })
    await until('it to go', async () => (await configMap(cluster, namespace))?.data?.['ca.crt'] === undefined)
    expect((await configMap(cluster, namespace))?.data).toEqual(row.remains)
  })

  it('is asked once for a namespace that is not there, and again when it comes', async () => {
    const { cluster, operator, clock, writes } = await refusing('later', 404, [], 1)
    await put(cluster, withTargets(target({ namespaces: { from: 'Names', names: ['later'] } })))
    await saying(cluster, 'namespace "later" does not exist')
    await clock.advance(13 * 3_600_000)
    await quiet(operator)
    expect(writes.filter(({ plural }) => plural === 'configmaps')).toEqual([])
    await makeNamespace(cluster, 'later')
    await current(cluster, 1)
  })
})

describe('very many namespaces', () => {
  it('all get it, from one encoding, and lose it again', async () => {
    const { cluster, operator, clock } = await fresh()
    const count = 450
    for (let at = 0; at < count; at += 1) await makeNamespace(cluster, `n${at}`, { db: 'yes' })
    const namespacesOfTarget = { from: 'Selector', selector: { matchLabels: { db: 'yes' } } }
    const items = [{ key: 'trust.p12', content: 'PKCS12Truststore' }]
    await put(cluster, withTargets(target({ namespaces: namespacesOfTarget, items })))
    await current(cluster, count)
    const { items: maps } = await cluster.list(configMaps)
    expect(maps).toHaveLength(count)
    // Salted, so every encoding gives other bytes: one a turn.
    expect(new Set(maps.map(({ binaryData }) => binaryData?.['trust.p12'])).size).toBeLessThanOrEqual(3)
    await cluster.delete(certificateAuthorities, { namespace, name: 'ca' })
    await until('all to go', async () => (await cluster.list(configMaps)).items.length === 0)
    await clock.advance(1000)
    await quiet(operator)
  })
})
