/** Every engine: a new one is a file beside this one and a row here. */
import type { EngineName } from '../../resources/engines.ts'
import { cassandra } from './cassandra.ts'
import { clickhouse } from './clickhouse.ts'
import { cockroachdb } from './cockroachdb.ts'
import { elasticsearch } from './elasticsearch.ts'
import type { Definition } from './engine.ts'
import { etcd } from './etcd.ts'
import { kafka } from './kafka.ts'
import { mariadb } from './mariadb.ts'
import { mongodb } from './mongodb.ts'
import { mysql } from './mysql.ts'
import { opensearch } from './opensearch.ts'
import { postgresql } from './postgresql.ts'
import { redis } from './redis.ts'
import { tidb } from './tidb.ts'
import { valkey } from './valkey.ts'
import { zookeeper } from './zookeeper.ts'

export const definitions: Readonly<Record<EngineName, Definition>> = {
  MySQL: mysql,
  MariaDB: mariadb,
  PostgreSQL: postgresql,
  TiDB: tidb,
  MongoDB: mongodb,
  Redis: redis,
  Valkey: valkey,
  Cassandra: cassandra,
  CockroachDB: cockroachdb,
  ClickHouse: clickhouse,
  Kafka: kafka,
  Elasticsearch: elasticsearch,
  OpenSearch: opensearch,
  Etcd: etcd,
  ZooKeeper: zookeeper,
}
