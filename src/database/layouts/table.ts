/** Every layout: one row for a database operator or chart. */
import type { Preset, SecretOf } from '../../resources/layout-names.ts'
import { altinityClickHouse } from './altinity-clickhouse.ts'
import { bitnami } from './bitnami.ts'
import { cloudNativePg } from './cloudnative-pg.ts'
import { cockroachDbChart, cockroachDbOperator } from './cockroachdb.ts'
import { crunchy, perconaPostgreSql } from './crunchy.ts'
import { eck } from './eck.ts'
import { etcdOperator } from './etcd-operator.ts'
import { k8ssandra } from './k8ssandra.ts'
import type { Layout } from './layout.ts'
import { mariaDbOperator } from './mariadb-operator.ts'
import { mongoDbCommunity } from './mongodb-community.ts'
import { mysqlDataDirectory } from './mysql-data-directory.ts'
import { openSearchOperator } from './opensearch-operator.ts'
import { openXchange } from './open-xchange.ts'
import { oracleMySqlOperator } from './oracle-mysql-operator.ts'
import { otRedisOperator } from './ot-redis-operator.ts'
import { perconaServerMongoDb, perconaServerMySql, perconaXtraDb } from './percona.ts'
import { postgresqlFiles } from './postgresql-files.ts'
import { strimzi } from './strimzi.ts'
import { tiDbOperatorV1, tiDbOperatorV2 } from './tidb-operator.ts'
import { zalando } from './zalando.ts'

export const layouts: { readonly [P in Preset]: Layout<SecretOf<P>> } = {
  CloudNativePG: cloudNativePg,
  Zalando: zalando,
  Crunchy: crunchy,
  PerconaPostgreSQL: perconaPostgreSql,
  PerconaXtraDBCluster: perconaXtraDb,
  PerconaServerMySQL: perconaServerMySql,
  PerconaServerMongoDB: perconaServerMongoDb,
  OracleMySQLOperator: oracleMySqlOperator,
  MariaDBOperator: mariaDbOperator,
  TiDBOperatorV1: tiDbOperatorV1,
  TiDBOperatorV2: tiDbOperatorV2,
  MongoDBCommunity: mongoDbCommunity,
  OTRedisOperator: otRedisOperator,
  Strimzi: strimzi,
  K8ssandra: k8ssandra,
  CockroachDBChart: cockroachDbChart,
  CockroachDBOperator: cockroachDbOperator,
  ECK: eck,
  OpenSearchOperator: openSearchOperator,
  EtcdOperator: etcdOperator,
  Bitnami: bitnami,
  AltinityClickHouse: altinityClickHouse,
  MySQLDataDirectory: mysqlDataDirectory,
  PostgreSQLFiles: postgresqlFiles,
  OpenXchange: openXchange,
}
