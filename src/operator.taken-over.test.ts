/** A Secret in the shape of cert-manager's, handed over with its certificate and key. */
import { describe, expect, it } from 'vitest'
import { certManagerData, certManagerMarks, type CertManagerWish } from './pki/cert-manager.fixture.ts'
import { encodePem } from './pki/encoding/pem.ts'
import { makeRoot } from './pki/testing.ts'
import { secrets } from './resources/core.ts'
import {
  anotherCertificate,
  authority,
  authorityReady,
  certificate,
  day,
  entriesOf,
  fresh,
  getCertificate,
  getSecret,
  leafOf,
  messageOf,
  namespace,
  pass,
  person,
  put,
  quiet,
  ready,
  revoke,
  secretOf,
  somebody,
  text,
  writesOfRest,
} from './testing.ts'

const ec = { algorithm: 'ECDSA', size: 256 } as const
const byName = [{ type: 'DNS', value: 'orders.data.svc' }] as const
/** As `dbtls migrate cert-manager` writes them for an ECDSA key. */
const plain = { usages: ['digitalSignature'], privateKey: { algorithm: 'ECDSA', encoding: 'SEC1' } }

/** A cluster on which cert-manager has been, with a CA and a certificate of it, and its successor. */
const begin = async (wish: Omit<CertManagerWish, 'now'> = {}, spec: object = {}) => {
  const running = await fresh()
  const { cluster, clock, operator } = running
  const root = await makeRoot({ commonName: 'corp', now: clock.now() - 2 * day })
  const ca = {
    'tls.crt': encodePem('CERTIFICATE', root.certificate),
    'tls.key': encodePem('PRIVATE KEY', root.key.pkcs8),
  }
  await cluster.apply(secrets, secretOf('corp-ca', ca, { type: 'kubernetes.io/tls' }), somebody)
  const data = await certManagerData(root, { algorithm: ec, names: byName, now: clock.now() - day, ...wish })
  const { labels, annotations } = certManagerMarks('orders', 'corp')
  const handed = { ...annotations, 'dbtls.dev/adopt': 'true' }
  const metadata = { name: 'orders-tls', namespace, labels, annotations: handed }
  const theirs = secretOf('orders-tls', data, { type: 'kubernetes.io/tls', metadata })
  await cluster.apply(secrets, theirs, { fieldManager: 'cert-manager-certificates-issuing', force: true })
  const serial = leafOf(await getSecret(cluster)).serialNumber
  await put(cluster, authority({ source: { secret: { name: 'corp-ca' } } }))
  await authorityReady(cluster)
  await put(cluster, certificate({ ...plain, ...spec }))
  const { status } = await ready(cluster)
  await quiet(operator)
  return { ...running, data, serial, status, secret: await getSecret(cluster) }
}

describe('a certificate that cert-manager had the CA sign', () => {
  it('stays in use with its key, byte for byte, and is in the ledger', async () => {
    const { cluster, data, serial, status, secret, events, writes } = await begin()
    expect(status?.serialNumber).toBe(serial)
    for (const key of ['tls.crt', 'tls.key', 'ca.crt'] as const) expect(text(secret, key)).toBe(data[key])
    expect((await entriesOf(cluster, 'orders')).map(({ spec }) => spec.serialNumber)).toEqual([serial])
    expect(events.filter(({ reason }) => reason === 'Adopted').map(({ note }) => note)).toEqual([
      expect.stringContaining(`with the certificate ${serial} and its key, as they were`),
    ])
    expect(events.filter(({ reason }) => reason === 'Issued')).toEqual([])
    // The certificates that are remembered of the CA, and the marks on the Secret that was taken over.
    expect(writes.filter(({ plural }) => plural === 'secrets')).toHaveLength(2)
  })

  it.each<[string, Omit<CertManagerWish, 'now'>, object]>([
    ['a usage that no key of ours has', {}, {}],
    [
      'no key usage, but an extended one',
      { keyUsage: [], extendedKeyUsage: ['serverAuth'] },
      { usages: undefined, role: 'Server' },
    ],
    [
      'a subject in the order of Go, several values in one RDN',
      { organizations: ['Acme', 'Acme DB'], countries: ['DE'], organizationalUnits: ['db'], commonName: 'orders' },
      {
        subject: {
          organizations: ['Acme DB', 'Acme'],
          countries: ['DE'],
          organizationalUnits: ['db'],
          commonName: 'orders',
        },
      },
    ],
    [
      'a common name and no other',
      { commonName: 'orders.data.svc', names: [] },
      { dnsNames: [], subject: { commonName: 'orders.data.svc' } },
    ],
    ['a name with capitals', { names: [{ type: 'DNS', value: 'Orders.data.svc' }] }, {}],
    [
      'an RSA key in PKCS1',
      { algorithm: { algorithm: 'RSA', size: 2048 } },
      { privateKey: { algorithm: 'RSA', encoding: 'PKCS1' }, usages: ['digitalSignature', 'keyEncipherment'] },
    ],
  ])('is kept with %s, until its renewal', async (_name, wish, spec) => {
    const running = await begin(wish, spec)
    const { cluster, clock, data, serial, status, secret, stop, operator } = running
    expect(status?.serialNumber).toBe(serial)
    for (const key of ['tls.crt', 'tls.key'] as const) expect(text(secret, key)).toBe(data[key])
    expect(await writesOfRest(running)).toEqual([])
    await quiet(operator)
    expect(leafOf(await getSecret(cluster)).serialNumber).toBe(serial)
    await pass(clock, 70 * day)
    const renewed = await anotherCertificate(cluster, serial)
    expect(renewed.status?.revision).toBe(2)
    const { metadata } = await getSecret(cluster)
    expect(metadata.annotations?.['dbtls.dev/taken-over']).toBeUndefined()
    expect(metadata.ownerReferences ?? []).toEqual([])
    await stop()
  })

  it.each<[string, object]>([
    ['another name', { dnsNames: ['orders.data.svc', 'reports.data.svc'] }],
    ['another subject', { subject: { commonName: 'reports' } }],
    ['another usage', { usages: ['digitalSignature', 'clientAuth'] }],
    ['another key', { privateKey: { algorithm: 'ECDSA', size: 384 } }],
  ])('is replaced when %s is asked for, at once or later', async (_name, spec) => {
    const { status, serial } = await begin({}, spec)
    expect(status?.serialNumber).not.toBe(serial)
    const later = await begin()
    await put(later.cluster, certificate({ ...plain, ...spec }))
    await anotherCertificate(later.cluster, later.serial)
  })

  it('can be revoked, and is then replaced', async () => {
    const { cluster, serial } = await begin()
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    await anotherCertificate(cluster, serial)
  })

  it('is no excuse for one that comes later', async () => {
    const { cluster, serial } = await begin()
    const own = await getCertificate(cluster)
    await put(cluster, certificate({ ...plain, renewTrigger: '1' }))
    const { status } = await anotherCertificate(cluster, serial)
    const { metadata } = await getSecret(cluster)
    expect(metadata.annotations?.['dbtls.dev/taken-over']).toBeUndefined()
    await put(cluster, certificate({ ...plain, renewTrigger: '1', subject: { organizations: ['Acme'] } }))
    await anotherCertificate(cluster, status?.serialNumber)
    expect(own.status?.serialNumber).toBe(serial)
  })

  it('is not believed for the asking: the CA has to have signed it', async () => {
    const running = await fresh()
    const { cluster, clock } = running
    const stranger = await makeRoot({ commonName: 'ca of tests', now: clock.now() })
    const data = await certManagerData(stranger, { algorithm: ec, names: byName, now: clock.now() })
    const annotations = { 'dbtls.dev/adopt': 'true' }
    const metadata = { name: 'orders-tls', namespace, annotations }
    await cluster.apply(secrets, secretOf('orders-tls', data, { type: 'kubernetes.io/tls', metadata }), person)
    const { serialNumber } = leafOf(await getSecret(cluster))
    await put(cluster, authority())
    await put(cluster, certificate(plain))
    expect((await ready(cluster)).status?.serialNumber).not.toBe(serialNumber)
    expect(await entriesOf(cluster, 'orders')).toHaveLength(1)
    expect(await messageOf(cluster)).not.toContain(serialNumber)
  })
})
