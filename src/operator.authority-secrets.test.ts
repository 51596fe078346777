import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { isReady } from './resources/conditions.ts'
import { secrets } from './resources/core.ts'
import { issuedCertificates } from './resources/issued-certificate.ts'
import {
  authority,
  certificate,
  day,
  fresh,
  getCertificate,
  getSecret,
  issuedOnce,
  namespace,
  pass,
  put,
  quiet,
  ready,
  stalled,
  start,
  text,
  until,
} from './testing.ts'

const [certName, keyName] = ['my-cluster-cluster-ca-cert', 'my-cluster-cluster-ca']
const of = (layout: string, name: string) => certificate({ dnsNames: undefined, secret: { name, layout } }, name)
const generation = async (cluster: Cluster, name: string, annotation: string) =>
  (await getSecret(cluster, name)).metadata.annotations?.[`strimzi.io/${annotation}-generation`]
const ledger = async (cluster: Cluster) => (await cluster.list(issuedCertificates, {})).items.length

const strimzi = async (spec: object = {}) => {
  const running = await fresh()
  await put(running.cluster, authority({ allowKeyExport: true, ...spec }))
  await put(running.cluster, of('Strimzi/cluster-ca-cert', certName))
  await put(running.cluster, of('Strimzi/cluster-ca-key', keyName))
  for (const name of [certName, keyName]) await ready(running.cluster, name)
  await quiet(running.operator)
  return running
}

describe("a Secret of what is the authority's alone", () => {
  it('has it, and nothing is issued for it', async () => {
    const { cluster, writes } = await strimzi()
    const [cert, key, ca] = [
      await getSecret(cluster, certName),
      await getSecret(cluster, keyName),
      await getSecret(cluster, 'ca-ca'),
    ]
    expect(Object.keys(cert.data ?? {})).toEqual(['ca.crt'])
    expect(text(cert, 'ca.crt')).toBe(text(ca, 'tls.crt'))
    expect(Object.keys(key.data ?? {})).toEqual(['ca.key'])
    expect(text(key, 'ca.key')).toBe(text(ca, 'tls.key'))
    for (const { metadata } of [cert, key])
      expect(metadata.labels).toMatchObject({ 'strimzi.io/kind': 'Kafka', 'strimzi.io/cluster': 'my-cluster' })
    expect(await ledger(cluster)).toBe(1)
    expect(writes.filter(({ plural }) => plural === 'secrets')).toHaveLength(3)
    const { status } = await getCertificate(cluster, certName)
    expect(status?.serialNumber).toBeUndefined()
    expect(status?.conditions?.[0]).toMatchObject({ type: 'Ready', reason: 'Ready' })
  })

  it('is left alone at rest and after a restart', async () => {
    const { cluster, clock, stop } = await strimzi()
    await stop()
    const { operator, writes } = await start(cluster, clock)
    await quiet(operator)
    expect(writes).toEqual([])
  })

  it('has generations that grow with the certificate, and only with what has changed', async () => {
    const { cluster, clock } = await strimzi({ duration: '100d' })
    const before = text(await getSecret(cluster, certName), 'ca.crt')
    expect(await generation(cluster, certName, 'ca-cert')).toBe('0')
    expect(await generation(cluster, keyName, 'ca-key')).toBe('0')
    await pass(clock, 80 * day)
    await until('the new certificate', async () => text(await getSecret(cluster, certName), 'ca.crt') !== before)
    expect(await generation(cluster, certName, 'ca-cert')).toBe('1')
    await until('the other Secret to follow', async () => isReady(await getCertificate(cluster, keyName)))
    expect(await generation(cluster, keyName, 'ca-key')).toBe('0')
  })

  it('is made anew when it is deleted, and mended when it is changed', async () => {
    const { cluster } = await strimzi()
    await cluster.delete(secrets, { namespace, name: certName })
    await until('it to come back', () => getSecret(cluster, certName).catch(() => undefined))
    const secret = await getSecret(cluster, certName)
    await cluster.update(secrets, { ...secret, data: { 'ca.crt': 'eA==' } }, { fieldManager: 'somebody' })
    await until('it to be mended', async () => text(await getSecret(cluster, certName), 'ca.crt').startsWith('-----'))
  })

  it('is emptied when the authority takes its permission back', async () => {
    const { cluster } = await strimzi()
    await put(cluster, authority({ allowKeyExport: false }))
    expect(await stalled(cluster, keyName)).toMatchObject({ reason: 'KeyExportNotAllowed' })
    expect((await getSecret(cluster, keyName)).data ?? {}).toEqual({})
    expect(await generation(cluster, keyName, 'ca-key')).toBe('0')
    expect(isReady(await getCertificate(cluster, certName))).toBe(true)
  })

  it('under a name that its reader does not look for stalls', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority())
    await put(cluster, of('Strimzi/cluster-ca-cert', 'kafka-ca'))
    expect((await stalled(cluster, 'kafka-ca')).message).toContain('{cluster}-cluster-ca-cert')
  })

  it('can be said by items, too, where it issues nothing either', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority())
    const items = [{ key: 'ca.pem', content: 'TrustBundle' }]
    await put(cluster, certificate({ secret: { name: 'orders-tls', items } }))
    await ready(cluster)
    expect(Object.keys((await getSecret(cluster)).data ?? {})).toEqual(['ca.pem'])
    expect(await ledger(cluster)).toBe(1)
  })

  it('takes the place of a certificate, and gives it back', async () => {
    const { cluster, serial, operator } = await issuedOnce({})
    await put(cluster, certificate({ secret: { name: 'orders-tls', type: 'kubernetes.io/tls' } }))
    await ready(cluster)
    await put(cluster, certificate({ secret: { name: 'orders-ca', layout: 'CloudNativePG/ca' } }))
    const { status } = await ready(cluster)
    expect(status?.serialNumber).toBeUndefined()
    expect(status?.notAfter).toBeUndefined()
    await quiet(operator)
    await put(cluster, certificate({}))
    expect((await ready(cluster)).status?.serialNumber).toMatch(/^[0-9A-F]+$/)
    expect(serial).toMatch(/^[0-9A-F]+$/)
  })
})
