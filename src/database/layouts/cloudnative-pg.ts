/**
 * CloudNativePG. `serverTLSSecret` and `serverCASecret` may name the same Secret, and so may `replicationTLSSecret` and
 * `clientCASecret` (docs/src/certificates.md, "Cert-manager example").
 */
import { authoritySecret, type Layout, signingItems, usual } from './layout.ts'

/** Without it instances do not reload (pkg/utils/labels_annotations.go, WatchedLabelName). */
const labels = { 'cnpg.io/reload': '' }

export const cloudNativePg: Layout<'server' | 'replication' | 'ca' | 'ca-key'> = {
  server: usual({ secretName: '{cluster}-server-tls', roles: ['Server', 'Peer'], labels }),
  replication: usual({
    secretName: '{cluster}-replication-tls',
    roles: ['Client'],
    labels,
    commonName: 'streaming_replica',
  }),
  ca: authoritySecret({ secretName: '{cluster}-ca', items: [{ key: 'ca.crt', content: 'TrustBundle' }], labels }),
  // pkg/certs/certs.go parses SEC1 alone, and takes the first certificate for the signer's.
  'ca-key': authoritySecret({
    secretName: '{cluster}-ca',
    items: signingItems('ca.crt', 'ca.key', 'SEC1'),
    labels,
  }),
}
