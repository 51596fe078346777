/** The names that PostgreSQL (ssl_cert_file, ssl_key_file) and libpq (below ~/.postgresql) look for by themselves. */
import { wellKnownFiles } from './layout.ts'

export const postgresqlFiles = wellKnownFiles(
  [
    { key: 'server.crt', content: 'CertificateChain' },
    { key: 'server.key', content: 'PrivateKey' },
    { key: 'root.crt', content: 'TrustBundle' },
  ],
  [
    { key: 'postgresql.crt', content: 'CertificateChain' },
    { key: 'postgresql.key', content: 'PrivateKey' },
    { key: 'root.crt', content: 'TrustBundle' },
  ],
)
