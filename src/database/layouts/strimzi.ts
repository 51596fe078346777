/** Strimzi: the certificate of a listener, and what clients of Strimzi expect of a user's Secret. */
import type { Layout } from './layout.ts'
import { usual } from './layout.ts'

export const strimzi: Layout<'listener' | 'user'> = {
  listener: usual({ secretName: '{cluster}-listener-tls', roles: ['Server', 'Peer'] }),
  user: {
    secretName: '{client}',
    roles: ['Client'],
    type: 'Opaque',
    items: [
      { key: 'ca.crt', content: 'TrustBundle' },
      { key: 'user.crt', content: 'CertificateChain' },
      { key: 'user.key', content: 'PrivateKey' },
      { key: 'user.p12', content: 'PKCS12Keystore' },
      { key: 'user.password', content: 'Password' },
    ],
  },
}
