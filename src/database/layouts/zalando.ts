/** Zalando postgres-operator: `spec.tls.secretName`; the names of the files are its defaults, but for `caFile: ca.crt`. */
import { type Layout, usual } from './layout.ts'

export const zalando: Layout<'server'> = {
  server: usual({ secretName: '{cluster}-tls', roles: ['Server', 'Peer'] }),
}
