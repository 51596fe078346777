import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { isReady } from './resources/conditions.ts'
import { secrets } from './resources/core.ts'
import type { Secret } from './resources/core.ts'
import { setTimeout as realSleep } from 'node:timers/promises'
import {
  authority,
  certificate,
  entriesOf,
  fresh,
  getCertificate,
  getSecret,
  issuedOnce,
  leafOf,
  namespace,
  person,
  put,
  quiet,
  ready,
  secretOf,
  somebody,
  start,
  until,
} from './testing.ts'

describe('a Secret that is changed from outside', () => {
  const spec = {
    secret: {
      name: 'orders-tls',
      items: [
        { key: 'tls.crt', content: 'CertificateChain' },
        { key: 'tls.key', content: 'PrivateKey' },
        { key: 'ca.crt', content: 'TrustBundle' },
        { key: 'keystore.p12', content: 'PKCS12Keystore' },
      ],
    },
  }
  const tamper = async (cluster: Cluster, change: (secret: Secret) => Secret): Promise<Secret> =>
    cluster.update(secrets, change(await getSecret(cluster)), somebody)
  const withKey = (key: string, value: string) => (secret: Secret) => ({
    ...secret,
    data: { ...secret.data, [key]: value },
  })
  const junk = Buffer.from('junk').toString('base64')

  it.each([
    { name: 'a truncated certificate is issued anew', change: withKey('tls.crt', junk), issues: false },
    { name: 'a swapped key is issued anew', change: withKey('tls.key', junk), issues: false },
    { name: 'a damaged bundle is written again', change: withKey('ca.crt', junk), issues: false },
    { name: 'a damaged keystore is written again', change: withKey('keystore.p12', junk), issues: false },
  ])('$name', async ({ change }) => {
    const { cluster, operator } = await issuedOnce(spec)
    const good = await getSecret(cluster)
    await tamper(cluster, change)
    const mended = await until('the Secret to be mended', async () => {
      const found = await getSecret(cluster)
      return Object.values(found.data ?? {}).every((value) => value !== junk) && found
    })
    await quiet(operator)
    expect(Object.keys(mended.data ?? {}).toSorted()).toEqual(Object.keys(good.data ?? {}).toSorted())
    expect(isReady(await getCertificate(cluster))).toBe(true)
  })

  it('is made again when it is deleted', async () => {
    const { cluster, anotherSerial } = await issuedOnce(spec)
    await cluster.delete(secrets, { namespace, name: 'orders-tls' })
    await anotherSerial()
    await getSecret(cluster)
  })

  it("keeps other people's keys, labels and annotations through a renewal", async () => {
    const { cluster, anotherSerial } = await issuedOnce(spec)
    await tamper(cluster, (secret) => ({
      ...secret,
      metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, theirs: 'yes' } },
      data: { ...secret.data, 'their.key': junk },
    }))
    await put(cluster, certificate({ ...spec, renewTrigger: '1' }))
    await anotherSerial()
    const secret = await getSecret(cluster)
    expect(secret.metadata.labels?.['theirs']).toBe('yes')
    expect(secret.data?.['their.key']).toBe(junk)
  })

  it('is read once, and not at every look, when only a foreign label was added', async () => {
    const { cluster, clock, stop } = await issuedOnce(spec)
    await stop()
    const running = await start(cluster, clock)
    await quiet(running.operator)
    const before = running.reads
    await tamper(cluster, (secret) => ({
      ...secret,
      metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, theirs: 'yes' } },
    }))
    await until('a look', async () => running.reads > before)
    await quiet(running.operator)
    const after = running.reads
    // The CA is looked at in full every time; that is its own Secret and nothing else.
    await clock.advance(12 * 3_600_000)
    await quiet(running.operator)
    expect(running.reads - after).toBeLessThanOrEqual(1)
  })

  it('costs no write when only a foreign label was added', async () => {
    const { cluster, operator, writes } = await issuedOnce(spec)
    const before = writes.length
    await tamper(cluster, (secret) => ({
      ...secret,
      metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, theirs: 'yes' } },
    }))
    await realSleep(20)
    await quiet(operator)
    expect(writes.length).toBe(before)
  })
})

describe('a change that needs no new certificate', () => {
  const items = [
    { key: 'tls.crt', content: 'CertificateChain' },
    { key: 'tls.key', content: 'PrivateKey' },
    { key: 'keystore.p12', content: 'PKCS12Keystore', alias: 'one' },
  ]
  const base = { secret: { name: 'orders-tls', items }, keystore: { passwordSecretRef: { name: 'p' } } }
  const password = (value: string): Secret => secretOf('p', { password: value })

  it.each([
    {
      name: 'another alias',
      spec: {
        ...base,
        secret: { name: 'orders-tls', items: items.map((item) => (item.alias ? { ...item, alias: 'two' } : item)) },
      },
    },
    { name: 'another profile', spec: { ...base, keystore: { ...base.keystore, pkcs12Profile: 'LegacyDES' } } },
    {
      name: 'an item more',
      spec: { ...base, secret: { name: 'orders-tls', items: [...items, { key: 'all.pem', content: 'KeyThenChain' }] } },
    },
    { name: 'an item less', spec: { ...base, secret: { name: 'orders-tls', items: items.slice(0, 2) } } },
    { name: 'a label', spec: { ...base, secret: { ...base.secret, labels: { team: 'orders' } } } },
    { name: 'another password', spec: base, password: 'other-password' },
  ])('$name writes the Secret again with the same certificate', async ({ spec, password: next }) => {
    const { cluster, operator } = await fresh()
    await cluster.apply(secrets, password('first-password'), person)
    await put(cluster, authority())
    await put(cluster, certificate(base))
    const before = await ready(cluster)
    await quiet(operator)
    const old = await getSecret(cluster)
    await (next === undefined ? put(cluster, certificate(spec)) : cluster.apply(secrets, password(next), person))
    await until(
      'another version',
      async () => (await getSecret(cluster)).metadata.resourceVersion !== old.metadata.resourceVersion,
    )
    await quiet(operator)
    const after = await ready(cluster)
    const secret = await getSecret(cluster)
    expect(after.status?.serialNumber).toBe(before.status?.serialNumber)
    expect(leafOf(secret).serialNumber).toBe(before.status?.serialNumber)
    expect(secret.data?.['keystore.p12'] !== undefined).toBe(spec.secret.items.length > 2)
    expect(await entriesOf(cluster)).toHaveLength(2)
  })
})
