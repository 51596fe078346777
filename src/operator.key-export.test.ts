import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { decodePrivateKey, spkiOf } from './pki/keys/keys.ts'
import { parseCertificate } from './pki/certificates/parse.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { secrets } from './resources/core.ts'
import {
  authority,
  certificate,
  fresh,
  getSecret,
  issuedOnce,
  namespace,
  person,
  put,
  quiet,
  ready,
  stalled,
  start,
  text,
  until,
} from './testing.ts'

const items = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey' },
  { key: 'ca.crt', content: 'TrustBundle' },
  { key: 'ca.key', content: 'AuthorityPrivateKey' },
]
const holding = (more: object = {}) => ({
  secret: { name: 'orders-tls', items: items.map((item) => (item.key === 'ca.key' ? { ...item, ...more } : item)) },
})
const allowed = { allowKeyExport: true }

/** The key under `ca.key` is that of the CA whose certificate is under `ca.crt`. */
const expectTheKeyOf = async (cluster: Cluster, label: string): Promise<void> => {
  const secret = await getSecret(cluster)
  const pem = text(secret, 'ca.key')
  expect(pem.split('\n')[0]).toBe(`-----BEGIN ${label}-----`)
  const [der = new Uint8Array()] = certificatesOf(text(secret, 'ca.crt'))
  expect(Buffer.from(spkiOf(decodePrivateKey(pem))).equals(parseCertificate(der).spki)).toBe(true)
}
const withoutKey = (cluster: Cluster) =>
  until('the key to go', async () => {
    const secret = await getSecret(cluster)
    return secret.data?.['ca.key'] === undefined && secret
  })

describe("the CA's own key in a Secret", () => {
  it('is there where the CA allows it, in the form that is asked for, and the CA says so in an event', async () => {
    const { cluster, events } = await issuedOnce(holding({ encoding: 'SEC1' }), allowed)
    await expectTheKeyOf(cluster, 'EC PRIVATE KEY')
    const told = events.filter(({ reason }) => reason === 'KeyExported')
    expect(told.map(({ regarding }) => `${regarding.kind}/${regarding.metadata.name}`)).toEqual([
      'CertificateAuthority/ca',
    ])
    expect(told[0]?.note).toContain('Secret "orders-tls"')
  })

  it.each([
    { algorithm: 'RSA', encoding: 'PKCS1', label: 'RSA PRIVATE KEY' },
    { algorithm: 'Ed25519', encoding: 'PKCS8', label: 'PRIVATE KEY' },
  ])('of $algorithm is there as $encoding', async ({ algorithm, encoding, label }) => {
    const { cluster } = await issuedOnce(holding({ encoding }), { ...allowed, privateKey: { algorithm } })
    await expectTheKeyOf(cluster, label)
  })

  it('of a CA with a passphrase is there in the clear', async () => {
    const { cluster } = await fresh()
    const data = { passphrase: Buffer.from('correct horse battery').toString('base64') }
    const pass = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'pass', namespace }, data }
    await cluster.apply(secrets, pass, person)
    const privateKey = { passphraseSecretRef: { name: 'pass', key: 'passphrase' } }
    await put(cluster, authority({ ...allowed, privateKey }))
    await put(cluster, certificate(holding()))
    await ready(cluster)
    expect(text(await getSecret(cluster, 'ca-ca'), 'tls.key')).toContain('ENCRYPTED PRIVATE KEY')
    await expectTheKeyOf(cluster, 'PRIVATE KEY')
  })

  it('of a CA that was brought along is there', async () => {
    const first = await issuedOnce({}, allowed)
    const theirs = await getSecret(first.cluster, 'ca-ca')
    const { metadata: _metadata, ...secret } = theirs
    await first.cluster.apply(secrets, { ...secret, metadata: { name: 'corp', namespace } }, person)
    const source = { secret: { name: 'corp', certificateKey: 'tls.crt', privateKeyKey: 'tls.key' } }
    await first.stop()
    const { cluster } = await fresh()
    await cluster.apply(secrets, { ...secret, metadata: { name: 'corp', namespace } }, person)
    await put(cluster, authority({ ...allowed, source, subject: undefined }))
    await put(cluster, certificate(holding()))
    await ready(cluster)
    await expectTheKeyOf(cluster, 'PRIVATE KEY')
  })

  it('is refused where the CA says nothing, before anything is issued', async () => {
    const { cluster, writes } = await fresh()
    await put(cluster, authority())
    await put(cluster, certificate(holding()))
    const condition = await stalled(cluster)
    expect(condition).toMatchObject({ reason: 'KeyExportNotAllowed' })
    expect(condition.message).toContain('set spec.allowKeyExport: true there')
    await put(cluster, authority(allowed))
    await ready(cluster)
    // One for the CA itself, and one for the certificate.
    expect(writes.filter(({ plural }) => plural === 'issuedcertificates')).toHaveLength(2)
    await expectTheKeyOf(cluster, 'PRIVATE KEY')
  })

  it('is refused to another namespace, whatever the CA says', async () => {
    const { cluster } = await fresh()
    const foreign = authority({ ...allowed, allowedNamespaces: { from: 'All' } })
    await put(cluster, { ...foreign, metadata: { ...foreign.metadata, namespace: 'pki' } })
    await put(cluster, certificate({ ...holding(), authorityRef: { name: 'ca', namespace: 'pki' } }))
    const condition = await stalled(cluster)
    expect(condition).toMatchObject({ reason: 'KeyExportNotAllowed' })
    expect(condition.message).toContain('never leaves that: name a CA of namespace "data"')
  })

  it('goes when the CA takes its permission back, and certificate, key and the keys of others stay', async () => {
    const { cluster, serial, events, operator } = await issuedOnce(holding(), allowed)
    const before = await getSecret(cluster)
    await cluster.update(
      secrets,
      {
        ...before,
        data: { ...before.data, theirs: 'eA==' },
        metadata: { ...before.metadata, labels: { ...before.metadata.labels, own: 'x' } },
      },
      { fieldManager: 'somebody' },
    )
    await put(cluster, authority({ allowKeyExport: false }))
    const after = await withoutKey(cluster)
    expect(await stalled(cluster)).toMatchObject({ reason: 'KeyExportNotAllowed' })
    for (const key of ['tls.crt', 'tls.key', 'ca.crt']) expect(text(after, key)).toBe(text(before, key))
    expect(after.data?.['theirs']).toBe('eA==')
    expect(after.metadata.labels?.['own']).toBe('x')
    expect(after.metadata.ownerReferences).toEqual(before.metadata.ownerReferences)
    expect(events.some(({ reason, action }) => reason === 'KeyWithdrawn' && action === 'Withdraw')).toBe(true)
    await quiet(operator)
    await put(cluster, authority(allowed))
    expect((await ready(cluster)).status?.serialNumber).toBe(serial)
    await until('the key to come back', async () => (await getSecret(cluster)).data?.['ca.key'] !== undefined)
  })

  it('goes after a restart, too, when the permission was taken back meanwhile', async () => {
    const { cluster, clock, stop } = await issuedOnce(holding(), allowed)
    await stop()
    await put(cluster, authority({ allowKeyExport: false }))
    await start(cluster, clock)
    await withoutKey(cluster)
  })

  it('goes with its item', async () => {
    const { cluster } = await issuedOnce(holding(), allowed)
    await put(cluster, certificate({ secret: { name: 'orders-tls', items: items.slice(0, 3) } }))
    await withoutKey(cluster)
    await ready(cluster)
  })

  it('that has no such form stalls with the forms it has', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority({ ...allowed, privateKey: { algorithm: 'RSA' } }))
    await put(cluster, certificate(holding({ encoding: 'SEC1' })))
    const condition = await stalled(cluster)
    expect(condition.reason).toBe('RequestInvalid')
    expect(condition.message).toContain('SEC1 cannot hold an RSA key; use PKCS8 or PKCS1')
  })

  it('is never in an event, a status or a message', async () => {
    const { cluster, events } = await issuedOnce(holding(), allowed)
    const secret = text(await getSecret(cluster), 'ca.key').split('\n')[1] ?? 'nothing'
    const { status } = await ready(cluster)
    expect(JSON.stringify([events, status])).not.toContain(secret)
  })
})
