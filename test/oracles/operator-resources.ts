/** The resources of docs/operator-resources.md, by preset. */
import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../src/cluster/port.ts'

const page = readFileSync(new URL('../../docs/operator-resources.md', import.meta.url), 'utf8')

export const operatorResources: ReadonlyMap<string, readonly KubeObject[]> = new Map(
  [...page.matchAll(/^## (\w+)\n\n```yaml\n([^]*?)```/gm)].map(([, preset = '', yaml = '']) => [
    preset,
    parseAllDocuments(yaml).map((document) => document.toJS() as KubeObject),
  ]),
)

/** The program in test/oracles/PROGRAM requires the module, in which the CRD is. */
export interface OwnCrd {
  readonly preset: string
  readonly program: string
  readonly module: string
  readonly crd: string
}

export const ownCrds: readonly OwnCrd[] = [
  {
    preset: 'CloudNativePG',
    program: 'operators',
    module: 'github.com/cloudnative-pg/cloudnative-pg',
    crd: 'config/crd/bases/postgresql.cnpg.io_clusters.yaml',
  },
  {
    preset: 'Zalando',
    program: 'operators',
    module: 'github.com/zalando/postgres-operator',
    crd: 'manifests/postgresql.crd.yaml',
  },
  {
    preset: 'PerconaPostgreSQL',
    program: 'operators',
    module: 'github.com/percona/percona-postgresql-operator/v2',
    crd: 'config/crd/bases/pgv2.percona.com_perconapgclusters.yaml',
  },
  {
    preset: 'PerconaServerMongoDB',
    program: 'operators',
    module: 'github.com/percona/percona-server-mongodb-operator',
    crd: 'config/crd/bases/psmdb.percona.com_perconaservermongodbs.yaml',
  },
  {
    preset: 'MongoDBCommunity',
    program: 'mongodb-operator',
    module: 'github.com/mongodb/mongodb-kubernetes-operator',
    crd: 'config/crd/bases/mongodbcommunity.mongodb.com_mongodbcommunity.yaml',
  },
  {
    preset: 'ECK',
    program: 'eck',
    module: 'github.com/elastic/cloud-on-k8s/v3',
    crd: 'config/crds/v1/all-crds.yaml',
  },
]
