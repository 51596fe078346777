import { describe, expect, it } from 'vitest'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { publishedUrls } from './published.ts'

const urls = (spec: object) =>
  publishedUrls({ metadata: { namespace: 'data', name: 'orders-ca' }, spec } as unknown as CertificateAuthority)

describe('publishedUrls', () => {
  const cer = 'http://pki.data.svc/ca/data/orders-ca.cer'
  const crl = 'http://pki.data.svc/ca/data/orders-ca.crl'
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
      caIssuers: ['http://example.com/pki/v1/ca/data/orders-ca.cer'],
    },
  ])('$name', ({ spec, crlDistributionPoints, caIssuers }) => {
    expect(urls(spec)).toEqual({ crlDistributionPoints, caIssuers })
  })
})
