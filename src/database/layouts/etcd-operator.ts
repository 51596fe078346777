/** etcd-operator: provider auto leaves a Secret alone that exists under its name (pkg/certificate/auto/provider.go). */
import { type Layout, usual } from './layout.ts'

export const etcdOperator: Layout<'server' | 'peer' | 'client'> = {
  server: usual({ secretName: '{cluster}-server-tls', fixedName: true, roles: ['Server'] }),
  peer: usual({ secretName: '{cluster}-peer-tls', fixedName: true, roles: ['Peer'] }),
  client: usual({ secretName: '{cluster}-client-tls', fixedName: true, roles: ['Client'] }),
}
