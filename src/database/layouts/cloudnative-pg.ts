/**
 * CloudNativePG. `spec.certificates.serverTLSSecret` and `serverCASecret` may name the same Secret, and so may
 * `replicationTLSSecret` and `clientCASecret` (docs/src/certificates.md, "Cert-manager example").
 */
import { type Layout, usualItems } from './layout.ts'

/** Without it instances do not reload (pkg/utils/labels_annotations.go, WatchedLabelName). */
const reload = { 'cnpg.io/reload': '' }

export const cloudNativePg: Layout<'server' | 'replication'> = {
  server: {
    secretName: '{cluster}-server-tls',
    roles: ['Server', 'Peer'],
    type: 'kubernetes.io/tls',
    items: usualItems,
    labels: reload,
  },
  replication: {
    secretName: '{cluster}-replication-tls',
    roles: ['Client'],
    type: 'kubernetes.io/tls',
    items: usualItems,
    labels: reload,
    commonName: 'streaming_replica',
  },
}
