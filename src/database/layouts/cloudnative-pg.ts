/**
 * CloudNativePG. `serverTLSSecret` and `serverCASecret` may name the same Secret, and so may `replicationTLSSecret` and
 * `clientCASecret` (docs/src/certificates.md, "Cert-manager example").
 */
import { type Layout, usual } from './layout.ts'

/** Without it instances do not reload (pkg/utils/labels_annotations.go, WatchedLabelName). */
const labels = { 'cnpg.io/reload': '' }

export const cloudNativePg: Layout<'server' | 'replication'> = {
  server: usual({ secretName: '{cluster}-server-tls', roles: ['Server', 'Peer'], labels }),
  replication: usual({
    secretName: '{cluster}-replication-tls',
    roles: ['Client'],
    labels,
    commonName: 'streaming_replica',
  }),
}
