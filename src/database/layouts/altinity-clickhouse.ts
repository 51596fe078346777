/** Altinity's operator for ClickHouse: `configuration.files` maps each key; the names are those of its own example. */
import type { Layout } from './layout.ts'

export const altinityClickHouse: Layout<'server'> = {
  server: {
    secretName: '{cluster}-tls',
    roles: ['Server', 'Peer', 'Client'],
    type: 'Opaque',
    items: [
      { key: 'server.crt', content: 'CertificateChain' },
      { key: 'server.key', content: 'PrivateKey' },
      { key: 'ca.crt', content: 'TrustBundle' },
    ],
  },
}
