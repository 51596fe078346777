import { expect, it } from 'vitest'
import type { Keyring } from '../../authority/keyring.ts'
import { marks } from '../../control/context.ts'
import { never, stubContext } from '../../control/testing.ts'
import { makeAuthority, makePair } from '../../database/connect/testing.ts'
import { base64, certificate } from '../../testing.ts'
import { readClient } from './client.ts'

const key = 'data/orders-app'

it.each([
  ['is shown where the Secret was written for it', 'DatabaseCertificate/orders-app', true],
  ['is not where the Secret is that of another certificate', 'DatabaseCertificate/payroll-app', false],
  ['is not where the Secret is a person’s', undefined, false],
])('the certificate of a client %s', async (_, owner, shown) => {
  const { chain, key: pem } = await makePair(await makeAuthority('Orders CA'), 'Client')
  const annotations = owner === undefined ? {} : { [marks.owner]: owner }
  const secret = {
    metadata: { name: 'orders-app-tls', annotations },
    data: { 'tls.crt': base64(chain), 'tls.key': base64(pem) },
  }
  const { context, stores } = stubContext({ get: () => Promise.resolve(secret) })
  const items = [
    { key: 'tls.crt', content: 'CertificateChain' },
    { key: 'tls.key', content: 'PrivateKey' },
  ]
  stores.certificates.set(key, certificate({ secret: { name: 'orders-app-tls', items } }, 'orders-app'))
  const found = await readClient(context, {} as Keyring, key, never)
  expect(found !== undefined).toBe(shown)
})
