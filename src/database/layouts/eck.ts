/**
 * Elastic Cloud on Kubernetes. It reads PKCS #8 with RSA keys alone, and ECDSA keys as SEC1
 * (pkg/controller/common/certificates/pem.go, ParsePEMPrivateKey), hence the traditional form of both.
 */
import { type Layout, usual } from './layout.ts'

export const eck: Layout<'http'> = {
  http: usual({
    secretName: '{cluster}-http-tls',
    roles: ['Server', 'Peer'],
    items: [
      { key: 'tls.crt', content: 'CertificateChain' },
      { key: 'tls.key', content: 'PrivateKey', encoding: 'Traditional' },
      { key: 'ca.crt', content: 'TrustBundle' },
    ],
  }),
}
