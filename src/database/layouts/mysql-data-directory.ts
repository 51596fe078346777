/** The names that mysqld finds by itself in its data directory (MySQL manual, "Creating SSL and RSA Certificates and Keys"). */
import type { Layout } from './layout.ts'

export const mysqlDataDirectory: Layout<'server' | 'client'> = {
  server: {
    secretName: '{cluster}-server-tls',
    roles: ['Server', 'Peer'],
    type: 'Opaque',
    items: [
      { key: 'ca.pem', content: 'TrustBundle' },
      { key: 'server-cert.pem', content: 'CertificateChain' },
      { key: 'server-key.pem', content: 'PrivateKey' },
    ],
  },
  client: {
    secretName: '{cluster}-{client}-tls',
    roles: ['Client'],
    type: 'Opaque',
    items: [
      { key: 'ca.pem', content: 'TrustBundle' },
      { key: 'client-cert.pem', content: 'CertificateChain' },
      { key: 'client-key.pem', content: 'PrivateKey' },
    ],
  },
}
