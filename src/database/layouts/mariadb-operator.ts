/** mariadb-operator. The certificate's Secret may be named as the CA's as well: it has ca.crt. */
import { authoritySecret, type Layout, signingItems, usual } from './layout.ts'

/** The operator follows what carries it (pkg/metadata/metadata.go, WatchLabel). */
const labels = { 'k8s.mariadb.com/watch': '' }

export const mariaDbOperator: Layout<'server' | 'client' | 'ca' | 'ca-key'> = {
  server: usual({ secretName: '{cluster}-server-tls', roles: ['Server', 'Peer'], labels }),
  client: usual({ secretName: '{cluster}-client-tls', roles: ['Client'], labels }),
  ca: authoritySecret({ secretName: '{cluster}-ca', items: [{ key: 'ca.crt', content: 'TrustBundle' }], labels }),
  // pkg/pki/keypair.go supports ECDSA keys alone where it is not told otherwise, and parses them as SEC1.
  'ca-key': authoritySecret({
    secretName: '{cluster}-ca',
    items: signingItems('ca.crt', 'ca.key', 'SEC1'),
    labels,
  }),
}
