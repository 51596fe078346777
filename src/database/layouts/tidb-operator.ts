/**
 * TiDB Operator. In v1 the names are fixed by the name of the TidbCluster; in v2 `{cluster}` is the group's name (that of the
 * Cluster for cluster-client), and the names are defaults.
 */
import { type Layout, type LayoutSecret, usual } from './layout.ts'

type Secrets = 'component' | 'cluster-client' | 'server' | 'client'

const withNames = (fixed: Pick<LayoutSecret, 'fixedName'>): Layout<Secrets> => ({
  component: usual({
    secretName: '{cluster}-{component}-cluster-secret',
    roles: ['Peer'],
    commonName: 'TiDB',
    ...fixed,
  }),
  'cluster-client': usual({
    secretName: '{cluster}-cluster-client-secret',
    roles: [],
    commonName: 'TiDB',
    ...fixed,
  }),
  server: usual({ secretName: '{cluster}-tidb-server-secret', roles: ['Server'], ...fixed }),
  client: usual({ secretName: '{cluster}-tidb-client-secret', roles: ['Client'] }),
})

export const tiDbOperatorV1 = withNames({ fixedName: true })
export const tiDbOperatorV2 = withNames({})
