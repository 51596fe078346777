/**
 * Crunchy Postgres for Kubernetes (PGO 5) and Percona's operator for PostgreSQL, which is made from it: `customTLSSecret` and
 * `customReplicationTLSSecret` are given together and must hold the same ca.crt, so both certificates come from one CA.
 */
import { authoritySecret, type Layout, signingItems, usual } from './layout.ts'

export const crunchy: Layout<'server' | 'replication' | 'pgbouncer'> = {
  server: usual({ secretName: '{cluster}-server-tls', roles: ['Server', 'Peer'] }),
  replication: usual({ secretName: '{cluster}-replication-tls', roles: ['Client'], commonName: '_crunchyrepl' }),
  pgbouncer: usual({ secretName: '{cluster}-pgbouncer-tls', roles: ['Server'] }),
}

export const perconaPostgreSql: Layout<'server' | 'replication' | 'pgbouncer' | 'root-ca-key'> = {
  ...crunchy,
  // internal/pki/encoding.go parses SEC1 alone.
  'root-ca-key': authoritySecret({
    secretName: '{cluster}-root-ca',
    items: signingItems('root.crt', 'root.key', 'SEC1'),
  }),
}
