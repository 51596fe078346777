/** What the tests run, by the names of docs/engines.md, and how it is seen which version that is. */
import { debian, install, type Installation, type Product } from './install.ts'
import { haproxy } from './haproxy.ts'
import { cassandraVersion, installCassandra } from './cassandra.ts'
import { installKafka, kafkaVersion } from './kafka.ts'
import { pgbouncer } from './pgbouncer.ts'
import { stunnelServer } from './stunnel.ts'
import { installZooKeeper, zookeeperVersion } from './zookeeper.ts'

interface Live {
  /** Of a profile, or a proxy's name. */
  readonly name: string
  /** As far as it stays the same while a suite of Debian is maintained. */
  readonly version: string
  /** Names the packages with their versions; undefined where they cannot be had here. */
  readonly manifest: () => Promise<string | undefined>
}

const of = async (installation: Promise<Installation | undefined>): Promise<string | undefined> =>
  (await installation)?.manifest

const proxy = (name: string, version: string, packageName: string): Live => ({
  ...{ name, version, manifest: () => of(debian('trixie', [packageName])) },
})

/** Each product of install.ts, so that none is run without a word in the table: engine and version. */
const products: Readonly<Record<Product, readonly [string, string]>> = {
  'MySQL 9': ['MySQL', '9'],
  'MariaDB 10.11': ['MariaDB', '10.11'],
  'MariaDB 11.8': ['MariaDB', '11.8'],
  'PostgreSQL 15': ['PostgreSQL', '15'],
  'PostgreSQL 18': ['PostgreSQL', '18'],
  'Redis 8': ['Redis', '8.0'],
  'Valkey 8': ['Valkey', '8.1'],
  'Valkey 9': ['Valkey', '9.1'],
  etcd: ['Etcd', '3.5'],
}

export const live: readonly Live[] = [
  ...Object.entries(products).map(([product, [name, version]]) => ({
    ...{ name, version },
    manifest: () => of(install(product as Product)),
  })),
  {
    ...{ name: 'Cassandra', version: '5.0' },
    manifest: async () => ((await installCassandra()) === undefined ? undefined : `Cassandra ${cassandraVersion}`),
  },
  {
    ...{ name: 'Kafka', version: '4.3' },
    manifest: async () => ((await installKafka()) === undefined ? undefined : `Kafka ${kafkaVersion}`),
  },
  {
    ...{ name: 'ZooKeeper', version: '3.9' },
    manifest: async () => ((await installZooKeeper()) === undefined ? undefined : `ZooKeeper ${zookeeperVersion}`),
  },
  proxy(pgbouncer.name, '1.24', pgbouncer.package),
  proxy(haproxy.name, '3.0', haproxy.package),
  proxy('stunnel', '5.74', stunnelServer.package),
]
