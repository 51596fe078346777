import { describe, expect, it } from 'vitest'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { isPublishedAt, publicationOf, publishedUrls } from './published.ts'

const keyId = Uint8Array.of(0x0a, 0xff)
const publication = (spec: object) =>
  publicationOf({ metadata: { namespace: 'data', name: 'orders-ca' }, spec } as unknown as CertificateAuthority)

describe('publishedUrls', () => {
  const cer = 'http://pki.data.svc/ca/data/orders-ca/0aff.cer'
  const crl = 'http://pki.data.svc/ca/data/orders-ca/0aff.crl'
  it.each([
    { name: 'nothing without publish', spec: { crl: { enabled: true } }, crlDistributionPoints: [], caIssuers: [] },
    {
      name: 'the certificate alone without a list',
      spec: { publish: { url: 'http://pki.data.svc' } },
      crlDistributionPoints: [],
      caIssuers: [cer],
    },
    {
      name: 'no list that is switched off',
      spec: { publish: { url: 'http://pki.data.svc' }, crl: { enabled: false } },
      crlDistributionPoints: [],
      caIssuers: [cer],
    },
    {
      name: 'both, under an address with a slash at its end',
      spec: { publish: { url: 'http://pki.data.svc/' }, crl: { enabled: true } },
      crlDistributionPoints: [crl],
      caIssuers: [cer],
    },
    {
      name: 'a path of the address is kept',
      spec: { publish: { url: 'http://example.com/pki/v1' } },
      crlDistributionPoints: [],
      caIssuers: ['http://example.com/pki/v1/ca/data/orders-ca/0aff.cer'],
    },
  ])('$name', ({ spec, crlDistributionPoints, caIssuers }) => {
    expect(publishedUrls(publication(spec), keyId)).toEqual({ crlDistributionPoints, caIssuers })
  })
})

describe('a certificate is where it should be', () => {
  const spec = { publish: { url: 'http://pki' }, crl: { enabled: true } }
  const at = (path: string) => ({
    crlDistributionPoints: [`http://pki/ca/data/${path}.crl`],
    caIssuers: [`http://pki/ca/data/${path}.cer`],
  })
  const nowhere = { crlDistributionPoints: [], caIssuers: [] }
  it.each([
    { name: 'with the addresses of the key that signed it', urls: at('orders-ca/0aff'), right: true },
    { name: 'with those of the CA alone, from before there was one for each key', urls: at('orders-ca'), right: true },
    { name: 'not with those of another key', urls: at('orders-ca/0afe'), right: false },
    { name: 'not with those of another CA', urls: at('other/0aff'), right: false },
    {
      name: 'not with one of each kind',
      urls: { ...at('orders-ca'), caIssuers: at('orders-ca/0aff').caIssuers },
      right: false,
    },
    { name: 'not without a list', urls: { ...at('orders-ca/0aff'), crlDistributionPoints: [] }, right: false },
    { name: 'not with any where nothing is published', spec: {}, urls: at('orders-ca/0aff'), right: false },
    { name: 'with none where nothing is published', spec: {}, urls: nowhere, right: true },
  ])('$name', ({ urls, right, spec: of = spec }) => {
    expect(isPublishedAt(publication(of), { ...urls, authorityKeyId: keyId })).toBe(right)
  })

  it('with those of the CA alone where it does not name the key', () => {
    expect(isPublishedAt(publication(spec), { ...at('orders-ca') })).toBe(true)
  })
})
