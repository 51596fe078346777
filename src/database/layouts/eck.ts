/**
 * Elastic Cloud on Kubernetes. It reads PKCS #8 with RSA keys alone, and ECDSA keys as SEC1
 * (pkg/controller/common/certificates/pem.go, ParsePEMPrivateKey), hence the traditional form of both.
 */
import { authoritySecret, type Layout, signingItems, usual } from './layout.ts'

export const eck: Layout<'http' | 'http-ca-key' | 'transport-ca-key'> = {
  http: usual({
    secretName: '{cluster}-http-tls',
    roles: ['Server', 'Peer'],
    items: [
      { key: 'tls.crt', content: 'CertificateChain' },
      { key: 'tls.key', content: 'PrivateKey', encoding: 'Traditional' },
      { key: 'ca.crt', content: 'TrustBundle' },
    ],
  }),
  // ECK signs a certificate for each Pod itself, and takes exactly one certificate beside the key.
  'http-ca-key': authoritySecret({
    secretName: '{cluster}-http-ca',
    items: signingItems('ca.crt', 'ca.key', 'Traditional'),
  }),
  'transport-ca-key': authoritySecret({
    secretName: '{cluster}-transport-ca',
    items: signingItems('ca.crt', 'ca.key', 'Traditional'),
  }),
}
