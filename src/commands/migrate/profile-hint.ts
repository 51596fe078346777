/** Where a Certificate looks like one of a database server: that a DatabaseTLSProfile does more. Pure. */

import { own } from './fields.ts'
import { type Found, titleOf } from './inventory.ts'
import type { Note } from './notes.ts'

/** Words in names and labels, and the engine they stand for. `pg` alone is anything. */
const engines: readonly (readonly [RegExp, string])[] = [
  [/mariadb|galera/, 'MariaDB'],
  [/mysql|percona-xtradb|pxc/, 'MySQL'],
  [/postgres|pgpool|pgbouncer|timescale/, 'PostgreSQL'],
  [/tidb|tikv/, 'TiDB'],
  [/mongo/, 'MongoDB'],
  [/valkey/, 'Valkey'],
  [/redis/, 'Redis'],
  [/cassandra|k8ssandra/, 'Cassandra'],
  [/cockroach/, 'CockroachDB'],
  [/clickhouse/, 'ClickHouse'],
  [/kafka/, 'Kafka'],
  [/zookeeper/, 'ZooKeeper'],
  [/opensearch/, 'OpenSearch'],
  [/elasticsearch/, 'Elasticsearch'],
  [/etcd/, 'Etcd'],
]

export const profileHint = (found: Found): Note | undefined => {
  const { name, namespace, object } = found
  const labels = own(object, 'metadata', 'labels')
  const dnsNames = own(object, 'spec', 'dnsNames')
  const words = [
    name,
    own(labels, 'app.kubernetes.io/name'),
    own(labels, 'app'),
    ...(Array.isArray(dnsNames) ? dnsNames : []),
  ]
  const texts = words.filter((one): one is string => typeof one === 'string')
  const engine = engines.find(([word]) => texts.some((text) => word.test(text.toLowerCase())))?.[1]
  if (engine === undefined) return undefined
  const services = [...new Set(texts.flatMap((text) => serviceIn(text, namespace)))].slice(0, 4)
  const topology = services.length === 0 ? '' : `, topology.services: [${services.join(', ')}]`
  return {
    about: titleOf(found),
    field: '',
    message: `looks like ${engine}. A DatabaseTLSProfile (engine: ${engine}${topology}) makes certificates of servers and clients, configuration, account statements and reloads from one manifest, in Secrets of its own (docs/profiles.md)`,
  }
}

/** `orders-mysql.data.svc.cluster.local` → orders-mysql, of the Certificate's own namespace. */
const serviceIn = (dnsName: string, namespace: string): string[] => {
  const [service = '', where, svc] = dnsName.split('.')
  return where === namespace && (svc === undefined || svc === 'svc') && /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(service)
    ? [service]
    : []
}
