/** The names that PostgreSQL (ssl_cert_file, ssl_key_file) and libpq (below ~/.postgresql) look for by themselves. */
import type { Layout } from './layout.ts'

export const postgresqlFiles: Layout<'server' | 'client'> = {
  server: {
    secretName: '{cluster}-server-tls',
    roles: ['Server', 'Peer'],
    type: 'Opaque',
    items: [
      { key: 'server.crt', content: 'CertificateChain' },
      { key: 'server.key', content: 'PrivateKey' },
      { key: 'root.crt', content: 'TrustBundle' },
    ],
  },
  client: {
    secretName: '{cluster}-{client}-tls',
    roles: ['Client'],
    type: 'Opaque',
    items: [
      { key: 'postgresql.crt', content: 'CertificateChain' },
      { key: 'postgresql.key', content: 'PrivateKey' },
      { key: 'root.crt', content: 'TrustBundle' },
    ],
  },
}
