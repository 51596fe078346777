/** A renewal replaces a Secret that this process knows without reading it, and finds out all the same when it is no longer that one. */
import { expect, describe, it } from 'vitest'
import type { Cluster, KubeObject } from './cluster/port.ts'
import { isReady } from './resources/conditions.ts'
import { secrets } from './resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from './resources/database-certificate.ts'
import { interrupted } from './faults.fixture.ts'
import {
  anotherCertificate,
  authority,
  certificate,
  day,
  emptyCluster,
  entriesOf,
  getAuthority,
  getCertificate,
  getSecret,
  intermediate,
  issuedOnce,
  leafOf,
  namespace,
  pass,
  person,
  put,
  quiet,
  ready,
  start,
  text,
  until,
  writesAtRest,
} from './testing.ts'

/** Something happens just before the Secret is written the second time. */
const beforeRenewal = (happen: (cluster: Cluster) => Promise<unknown>) => {
  const { clock, cluster } = emptyCluster()
  let times = 0
  const interfering = interrupted(
    cluster,
    'apply',
    'secrets',
    async ({ metadata }: KubeObject) => {
      if (metadata.name !== 'orders-tls') return
      times += 1
      if (times === 2) await happen(cluster)
    },
    100,
  )
  return { clock, cluster, interfering }
}

const readsOf = ({ readNames }: { readNames: readonly string[] }): number =>
  readNames.filter((name) => name === 'orders-tls').length

describe('a renewal', () => {
  it.each<[string, object, object, number]>([
    ['by a new trigger alone reads nothing', {}, { renewTrigger: '1' }, 0],
    ['with another name reads the Secret first', {}, { renewTrigger: '1', dnsNames: ['other.data.svc'] }, 1],
    ['that keeps the key reads it', { privateKey: { rotation: 'Never' } }, { renewTrigger: '1' }, 1],
    [
      'that keeps a generated password reads it',
      { secret: { name: 'orders-tls', items: [{ key: 'store.p12', content: 'PKCS12Keystore' }] } },
      { renewTrigger: '1' },
      1,
    ],
  ])('%s', async (_, before, change, reads) => {
    const running = await issuedOnce(before)
    const counted = readsOf(running)
    await put(running.cluster, certificate({ ...before, ...change }))
    await running.anotherSerial()
    await quiet(running.operator)
    expect(readsOf(running) - counted).toBe(reads)
  })

  it('that falls due reads nothing, and nor does the next one', async () => {
    const running = await issuedOnce({ duration: '90d' })
    const counted = readsOf(running)
    const later = async (label: string): Promise<void> => {
      running.clock.setNow(running.clock.now() + 80 * day)
      const { metadata, ...object } = certificate({ duration: '90d' })
      await put(running.cluster, { ...object, metadata: { ...metadata, labels: { label } } })
    }
    await later('second')
    const { status } = await running.anotherSerial()
    await quiet(running.operator)
    await later('third')
    const third = await anotherCertificate(running.cluster, status?.serialNumber)
    expect(third.status?.revision).toBe(3)
    expect(readsOf(running) - counted).toBe(0)
    expect(leafOf(await getSecret(running.cluster)).serialNumber).toBe(third.status?.serialNumber)
  })

  it('of an adopted Secret leaves it without an owner', async () => {
    const running = await issuedOnce()
    const present = await getSecret(running.cluster)
    const annotations = { 'dbtls.dev/adopt': 'true' }
    await running.cluster.apply(
      secrets,
      { ...present, metadata: { name: 'orders-tls', namespace, annotations }, data: {} },
      person,
    )
    await until('no owner', async () => (await getSecret(running.cluster)).metadata.ownerReferences === undefined)
    await quiet(running.operator)
    await put(running.cluster, certificate({ renewTrigger: '1' }))
    await running.anotherSerial()
    expect((await getSecret(running.cluster)).metadata.ownerReferences).toBeUndefined()
  })
})

describe('the annotation that asks for a renewal', () => {
  const annotate = (cluster: Cluster, annotations: Record<string, string>) => {
    const { apiVersion, kind, metadata } = certificate()
    const asking = { apiVersion, kind, metadata: { ...metadata, annotations } } as unknown as DatabaseCertificate
    return cluster.apply(databaseCertificates, asking, { fieldManager: 'dbtls.dev/cli', force: true })
  }

  it('renews when it comes and when it changes, and not when it goes', async () => {
    const { cluster, operator, writes, anotherSerial } = await issuedOnce()
    await annotate(cluster, { 'dbtls.dev/renew-trigger': '1' })
    const { status } = await anotherSerial()
    await quiet(operator)
    await annotate(cluster, {})
    await until('the trigger to be forgotten', async () => {
      const found = await getCertificate(cluster)
      return found.status?.renewTrigger === undefined && found
    })
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(status?.serialNumber)
    const before = writes.length
    await annotate(cluster, { 'dbtls.dev/renew-trigger': '2' })
    await until('a renewal', async () => (await getCertificate(cluster)).status?.serialNumber !== status?.serialNumber)
    await quiet(operator)
    expect(writes.slice(before).map(({ verb, plural }) => `${verb} ${plural}`)).toEqual([
      'create issuedcertificates',
      'apply secrets',
      'updateStatus databasecertificates',
    ])
  })
})

describe('a Secret that changes just before it is replaced unread', () => {
  it.each<[string, (cluster: Cluster) => Promise<unknown>]>([
    ['by an edit', async (cluster) => cluster.apply(secrets, edited, person)],
    ['by its deletion', async (cluster) => cluster.delete(secrets, { namespace, name: 'orders-tls' })],
  ])('%s is looked at again, and the certificate made already is delivered', async (_, happen) => {
    const { clock, cluster, interfering } = beforeRenewal(happen)
    const running = await start(interfering, clock)
    await put(cluster, authority())
    await put(cluster, certificate())
    const { status } = await ready(cluster)
    await quiet(running.operator)
    await put(cluster, certificate({ renewTrigger: '1' }))
    const renewed = await anotherCertificate(cluster, status?.serialNumber)
    const secret = await getSecret(cluster)
    expect(leafOf(secret).serialNumber).toBe(renewed.status?.serialNumber)
    expect(text(secret, 'tls.key')).toContain('PRIVATE KEY')
    // The CA's, the first one and the second: nothing was signed twice.
    expect(await entriesOf(cluster)).toHaveLength(3)
  })
})

const edited = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'orders-tls', namespace, labels: { 'example.org/mine': 'yes' } },
} as KubeObject

describe('a clock that was set back to before the CA begins', () => {
  it('has the CA signed anew with its key, then what is under it, and then all is at rest', async () => {
    const { cluster, clock, operator, serial, writes } = await issuedOnce({}, { maxPathLength: 1 })
    await put(cluster, intermediate({}, 'below', { name: 'ca' }))
    await put(cluster, certificate({ authorityRef: { name: 'below' }, secret: { name: 'under-tls' } }, 'under'))
    await ready(cluster, 'under')
    await quiet(operator)
    const before = (await getAuthority(cluster)).status?.certificate
    await pass(clock, -3 * day)
    const begun = async (): Promise<boolean> => {
      const [ca, below] = [await getAuthority(cluster), await getAuthority(cluster, 'below')]
      const [leaf, under] = [await getCertificate(cluster), await getCertificate(cluster, 'under')]
      const starts = [ca.status?.certificate, below.status?.certificate, leaf.status, under.status]
      return (
        starts.every((begins) => Date.parse(begins?.notBefore ?? '') <= clock.now()) &&
        [ca, below, leaf, under].every((object) => isReady(object))
      )
    }
    await until('all to be valid now', begun)
    const after = (await getAuthority(cluster)).status?.certificate
    expect(after?.serialNumber).not.toBe(before?.serialNumber)
    expect(after?.publicKeyHash).toBe(before?.publicKeyHash)
    expect((await getCertificate(cluster)).status?.serialNumber).not.toBe(serial)
    await quiet(operator)
    const made = (await entriesOf(cluster)).length
    expect(made).toBe(8)
    expect(await writesAtRest({ clock, operator, writes })).toEqual([])
  })
})
