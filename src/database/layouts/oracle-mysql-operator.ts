/**
 * Oracle's MySQL Operator. Server and CA may be one Secret (`tlsSecretName` and `tlsCASecretName` alike); the sidecar looks for
 * ca.pem whatever the operator itself would take.
 */
import type { OutputItem } from '../../material/contents.ts'
import type { Layout } from './layout.ts'

const pair: readonly OutputItem[] = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey' },
]

export const oracleMySqlOperator: Layout<'server' | 'server-crl' | 'router'> = {
  server: {
    secretName: '{cluster}-tls',
    roles: ['Server', 'Peer'],
    type: 'kubernetes.io/tls',
    items: [...pair, { key: 'ca.pem', content: 'TrustBundle' }],
  },
  'server-crl': {
    secretName: '{cluster}-tls',
    roles: [],
    type: 'kubernetes.io/tls',
    items: [...pair, { key: 'ca.pem', content: 'TrustBundle' }, { key: 'crl.pem', content: 'RevocationList' }],
  },
  router: { secretName: '{cluster}-router-tls', roles: [], type: 'kubernetes.io/tls', items: pair },
}
