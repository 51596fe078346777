/** mariadb-operator. The certificate's Secret may be named as the CA's as well: it has ca.crt. */
import { type Layout, usual } from './layout.ts'

/** The operator follows what carries it (pkg/metadata/metadata.go, WatchLabel). */
const labels = { 'k8s.mariadb.com/watch': '' }

export const mariaDbOperator: Layout<'server' | 'client'> = {
  server: usual({ secretName: '{cluster}-server-tls', roles: ['Server', 'Peer'], labels }),
  client: usual({ secretName: '{cluster}-client-tls', roles: ['Client'], labels }),
}
