/** OpenSearch operator: `generate: false`, `perNode: false`. The security plugin reads PKCS #8 keys alone. */
import type { OutputItem } from '../../material/contents.ts'
import { type Layout, usual } from './layout.ts'

const items: readonly OutputItem[] = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey', encoding: 'PKCS8' },
  { key: 'ca.crt', content: 'TrustBundle' },
]

export const openSearchOperator: Layout<'transport' | 'http' | 'admin'> = {
  transport: usual({ secretName: '{cluster}-transport-tls', roles: ['Peer'], items }),
  http: usual({ secretName: '{cluster}-http-tls', roles: ['Server'], items }),
  admin: usual({ secretName: '{cluster}-admin-cert', roles: ['Client'], items }),
}
