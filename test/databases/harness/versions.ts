/** What the tests run, by the names of docs/engines.md, and how it is seen which version that is. */
import { debian, install, type Installation } from './install.ts'
import { haproxy } from './haproxy.ts'
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

export const live: readonly Live[] = [
  { name: 'MySQL', version: '9', manifest: () => of(install('MySQL 9')) },
  { name: 'MariaDB', version: '10.11', manifest: () => of(install('MariaDB 10.11')) },
  { name: 'MariaDB', version: '11.8', manifest: () => of(install('MariaDB 11.8')) },
  { name: 'PostgreSQL', version: '15', manifest: () => of(install('PostgreSQL 15')) },
  { name: 'PostgreSQL', version: '18', manifest: () => of(install('PostgreSQL 18')) },
  { name: 'Redis', version: '8.0', manifest: () => of(install('Redis 8')) },
  { name: 'Valkey', version: '8.1', manifest: () => of(install('Valkey 8')) },
  { name: 'Valkey', version: '9.1', manifest: () => of(install('Valkey 9')) },
  { name: 'Etcd', version: '3.5', manifest: () => of(install('etcd')) },
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
