/** The names that mysqld finds by itself in its data directory (MySQL manual, "Creating SSL and RSA Certificates and Keys"). */
import { wellKnownFiles } from './layout.ts'

export const mysqlDataDirectory = wellKnownFiles(
  [
    { key: 'ca.pem', content: 'TrustBundle' },
    { key: 'server-cert.pem', content: 'CertificateChain' },
    { key: 'server-key.pem', content: 'PrivateKey' },
  ],
  [
    { key: 'ca.pem', content: 'TrustBundle' },
    { key: 'client-cert.pem', content: 'CertificateChain' },
    { key: 'client-key.pem', content: 'PrivateKey' },
  ],
)
