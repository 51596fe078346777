/** OT-CONTAINER-KIT redis-operator: `spec.TLS.secret`, with the default names of the files. It does not reload. */
import { type Layout, usual } from './layout.ts'

export const otRedisOperator: Layout<'server'> = {
  server: usual({ secretName: '{cluster}-tls', roles: ['Server', 'Peer'] }),
}
