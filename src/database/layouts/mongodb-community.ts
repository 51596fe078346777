/**
 * MongoDB community operator. `certificateKeySecretRef` and `caCertificateSecretRef` may name the same Secret. Where tls.pem stands beside
 * tls.crt and tls.key it must be their concatenation to the byte, so `pem` has it alone.
 */
import { type Layout, usual } from './layout.ts'

export const mongoDbCommunity: Layout<'server' | 'pem'> = {
  server: usual({ secretName: '{cluster}-tls', roles: ['Server', 'Peer', 'Client'] }),
  pem: {
    secretName: '{cluster}-tls',
    roles: [],
    type: 'Opaque',
    items: [
      { key: 'tls.pem', content: 'ChainThenKey' },
      { key: 'ca.crt', content: 'TrustBundle' },
    ],
  },
}
