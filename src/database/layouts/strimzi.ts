/**
 * Strimzi: the certificate of a listener, what clients expect of a user's Secret, and the two CAs where Strimzi is not to make
 * its own. Those are found under their names, and Strimzi follows a change only when a generation has grown.
 */
import type { Layout, LayoutSecret } from './layout.ts'
import { authoritySecret, usual } from './layout.ts'

const labels = { 'strimzi.io/kind': 'Kafka', 'strimzi.io/cluster': '{cluster}' }

const certificateOf = (which: 'cluster' | 'clients'): LayoutSecret =>
  authoritySecret({
    secretName: `{cluster}-${which}-ca-cert`,
    fixedName: true,
    items: [{ key: 'ca.crt', content: 'AuthorityCertificate' }],
    labels,
    counters: { 'strimzi.io/ca-cert-generation': 'ca.crt' },
  })

const keyOf = (which: 'cluster' | 'clients'): LayoutSecret =>
  authoritySecret({
    secretName: `{cluster}-${which}-ca`,
    fixedName: true,
    items: [{ key: 'ca.key', content: 'AuthorityPrivateKey', encoding: 'PKCS8' }],
    labels,
    counters: { 'strimzi.io/ca-key-generation': 'ca.key' },
  })

type Secrets = 'listener' | 'user' | 'cluster-ca-cert' | 'cluster-ca-key' | 'clients-ca-cert' | 'clients-ca-key'

export const strimzi: Layout<Secrets> = {
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
  'cluster-ca-cert': certificateOf('cluster'),
  'cluster-ca-key': keyOf('cluster'),
  'clients-ca-cert': certificateOf('clients'),
  'clients-ca-key': keyOf('clients'),
}
