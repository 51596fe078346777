import { describe, expect, it } from 'vitest'
import { distinguishedName } from '../pki/names/names.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { resolve } from './wanted.ts'

const day = 24 * 3_600_000
const certificate = (spec: object = {}): DatabaseCertificate =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseCertificate',
    metadata: { name: 'orders', namespace: 'data' },
    spec: {
      authorityRef: { name: 'ca' },
      dnsNames: ['orders.data.svc'],
      privateKey: { algorithm: 'ECDSA' },
      secret: { name: 'orders-tls' },
      ...spec,
    },
  }) as unknown as DatabaseCertificate
const wanted = (spec: object = {}) => {
  const resolved = resolve(certificate(spec))
  if (!('wanted' in resolved)) throw new Error(resolved.problems.join(' '))
  return resolved.wanted
}
const item = (key: string, content: string, more: object = {}) => ({ key, content, ...more })
const secret = (more: object) => ({ secret: { name: 's', ...more } })
const store = [item('k.p12', 'PKCS12Keystore')]

describe('what a certificate asks for', () => {
  it('has defaults', () => {
    expect(wanted()).toEqual({
      authority: { namespace: 'data', name: 'ca' },
      subject: distinguishedName({}),
      names: [{ type: 'DNS', value: 'orders.data.svc' }],
      keyUsage: ['digitalSignature'],
      extendedKeyUsage: ['serverAuth'],
      keyAlgorithm: { algorithm: 'ECDSA', size: 256 },
      keyEncoding: 'PKCS8',
      reuseKey: false,
      duration: 90 * day,
      durationGiven: false,
      renewal: { renewBefore: undefined, renewBeforePercentage: undefined },
      renewTrigger: '',
      pkcs12Profile: 'Modern2023',
      needsPassword: false,
      secret: {
        name: 'orders-tls',
        type: 'kubernetes.io/tls',
        items: [
          { key: 'tls.crt', content: 'CertificateChain' },
          { key: 'tls.key', content: 'PrivateKey' },
          { key: 'ca.crt', content: 'TrustBundle' },
        ],
        labels: {},
        annotations: {},
        retain: false,
      },
    })
  })

  it.each([
    { spec: { authorityRef: { name: 'r', namespace: 'pki' } }, has: { authority: { name: 'r', namespace: 'pki' } } },
    { spec: { role: 'Client' }, has: { extendedKeyUsage: ['clientAuth'] } },
    { spec: { role: 'Peer' }, has: { extendedKeyUsage: ['serverAuth', 'clientAuth'] } },
    { spec: { usages: ['clientAuth', 'digitalSignature'] }, has: { extendedKeyUsage: ['clientAuth'] } },
    {
      spec: { privateKey: { algorithm: 'RSA', encoding: 'PKCS1', rotation: 'Never' } },
      has: {
        keyAlgorithm: { algorithm: 'RSA', size: 2048 },
        keyEncoding: 'PKCS1',
        reuseKey: true,
        keyUsage: ['digitalSignature', 'keyEncipherment'],
      },
    },
    { spec: { duration: '1h30m' }, has: { duration: 5_400_000 } },
    { spec: { renewBefore: '30d' }, has: { renewal: { renewBefore: 30 * day } } },
    { spec: { renewBeforePercentage: 40 }, has: { renewal: { renewBeforePercentage: 40 } } },
    { spec: { renewTrigger: 'now' }, has: { renewTrigger: 'now' } },
    { spec: secret({ deletionPolicy: 'Retain' }), has: { secret: { retain: true } } },
    { spec: secret({ labels: { a: 'b' }, annotations: { c: 'd' } }), has: { secret: { labels: { a: 'b' } } } },
    {
      spec: { keystore: { passwordSecretRef: { name: 'p' }, pkcs12Profile: 'LegacyDES' } },
      has: { passwordRef: { name: 'p', key: 'password' }, pkcs12Profile: 'LegacyDES' },
    },
    {
      spec: { keystore: { passwordSecretRef: { name: 'p', key: 'k' } } },
      has: { passwordRef: { name: 'p', key: 'k' } },
    },
  ])('follows $spec', ({ spec, has }) => {
    expect(wanted(spec)).toMatchObject(has)
  })
})

describe('names', () => {
  it.each([
    { name: 'are normalised', spec: { dnsNames: ['ORDERS.Data.svc'] }, names: ['DNS orders.data.svc'] },
    { name: 'that repeat count once', spec: { dnsNames: ['a.b', 'A.b'] }, names: ['DNS a.b'] },
    {
      name: 'come in a fixed order of kinds',
      spec: { emailAddresses: ['a@b.c'], ipAddresses: ['127.0.0.1'], uris: ['spiffe://a/b'] },
      names: ['DNS orders.data.svc', 'IP 127.0.0.1', 'URI spiffe://a/b', 'Email a@b.c'],
    },
    {
      name: "of a server without any are its CN's",
      spec: { dnsNames: [], subject: { commonName: 'db.example' } },
      names: ['DNS db.example'],
    },
    {
      name: "are not a client's CN",
      spec: { dnsNames: [], role: 'Client', subject: { commonName: 'app' } },
      names: [],
    },
    { name: 'are not a CN that is no name', spec: { dnsNames: [], subject: { commonName: 'a b' } }, names: [] },
    {
      name: 'are not the CN where there are others',
      spec: { subject: { commonName: 'db.example' } },
      names: ['DNS orders.data.svc'],
    },
  ])('$name', ({ spec, names }) => {
    expect(wanted(spec).names.map(({ type, value }) => `${type} ${value}`)).toEqual(names)
  })
})

describe('a generated password', () => {
  it.each([
    {
      name: 'is published where nobody asks for it',
      spec: secret({ items: store }),
      keys: ['k.p12', 'keystore-password'],
    },
    {
      name: 'is not published twice',
      spec: secret({ items: [...store, item('pw', 'Password')] }),
      keys: ['k.p12', 'pw'],
    },
    {
      name: 'is not there where one is given',
      spec: { ...secret({ items: store }), keystore: { passwordSecretRef: { name: 'p' } } },
      keys: ['k.p12'],
    },
    { name: 'is not there where none is needed', spec: secret({ items: [item('a', 'PrivateKey')] }), keys: ['a'] },
  ])('$name', ({ spec, keys }) => {
    expect(wanted(spec).secret.items.map(({ key }) => key)).toEqual(keys)
  })

  it.each([
    { content: 'PKCS12Keystore', needs: true },
    { content: 'JKSKeystore', needs: true },
    { content: 'EncryptedPrivateKey', needs: true },
    { content: 'Password', needs: true },
    { content: 'PrivateKey', needs: false },
    { content: 'TrustBundle', needs: false },
  ])('is needed by $content: $needs', ({ content, needs }) => {
    expect(wanted(secret({ items: [item('a', content)] })).needsPassword).toBe(needs)
  })
})

describe('problems', () => {
  it.each([
    { spec: { subject: { commonName: 'x'.repeat(65) } }, says: 'spec.subject' },
    { spec: { subject: { literal: 'nonsense' } }, says: 'spec.subject' },
    { spec: { dnsNames: ['ok.example', 'not ok'] }, says: 'spec.dnsNames[1]' },
    { spec: { dnsNames: ['a\0.example'] }, says: 'spec.dnsNames[0]' },
    { spec: { ipAddresses: ['300.1.1.1'] }, says: 'spec.ipAddresses[0]' },
    { spec: { uris: ['no uri'] }, says: 'spec.uris[0]' },
    { spec: { emailAddresses: ['nobody'] }, says: 'spec.emailAddresses[0]' },
    { spec: { duration: 'long' }, says: 'spec.duration' },
    { spec: { renewBefore: 'soon' }, says: 'spec.renewBefore' },
    { spec: { usages: ['flying'] }, says: 'spec.usages' },
    { spec: { usages: ['encipherOnly'] }, says: 'spec.usages' },
    { spec: { usages: ['keyEncipherment'] }, says: 'spec.usages' },
    { spec: { usages: ['keyAgreement'], privateKey: { algorithm: 'Ed25519' } }, says: 'spec.usages' },
    { spec: { usages: ['keyAgreement'], privateKey: { algorithm: 'RSA' } }, says: 'spec.usages' },
    { spec: { dnsNames: ['1.2.3.4'] }, says: 'spec.dnsNames[0]' },
    { spec: { dnsNames: [] }, says: 'spec' },
    { spec: secret({ items: [item('a', 'PrivateKey'), item('a', 'Certificate')] }), says: 'spec.secret.items[1].key' },
    {
      spec: secret({ items: [item('a', 'PrivateKey', { encoding: 'PKCS1' })] }),
      says: 'spec.secret.items[0].encoding',
    },
  ])('name $says', ({ spec, says }) => {
    const { problems } = resolve(certificate(spec)) as { problems?: readonly string[] }
    expect(problems?.map((text) => text.split(':')[0])).toEqual([says])
  })

  it.each([
    { layout: 'Nobody', says: 'spec.secret.layout: "Nobody" is no layout this version knows' },
    {
      layout: 'OpenXchange',
      says: 'spec.secret.layout: of OpenXchange, items[2].encoding: PKCS1 cannot hold an ECDSA key',
    },
  ])('of the layout $layout name it and the cure', ({ layout, says }) => {
    const { problems } = resolve(certificate(secret({ layout }))) as { problems?: readonly string[] }
    expect(problems).toEqual([expect.stringContaining(says)])
  })

  it('are all named at once', () => {
    const { problems } = resolve(certificate({ dnsNames: ['a b', 'c d'], duration: 'x' })) as { problems?: string[] }
    expect(problems).toHaveLength(3)
  })
})
