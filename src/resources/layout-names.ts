/**
 * The layouts a manifest may name: the Secrets a database operator or chart expects. What each looks like is the business of
 * src/database/layouts, which has a row for every name here.
 */
import { protocols, type EngineName } from './engines.ts'
import type { Rule } from './rule.ts'
import { rule } from './rule.ts'
import { celList } from './secret-items.ts'

/** Preset → its Secrets, the most important one first. */
export const layoutSecrets = {
  CloudNativePG: ['server', 'replication', 'ca', 'ca-key'],
  Zalando: ['server'],
  Crunchy: ['server', 'replication', 'pgbouncer'],
  PerconaPostgreSQL: ['server', 'replication', 'pgbouncer', 'root-ca-key'],
  PerconaXtraDBCluster: ['ssl', 'ssl-internal'],
  PerconaServerMySQL: ['ssl'],
  PerconaServerMongoDB: ['ssl', 'ssl-internal'],
  OracleMySQLOperator: ['server', 'server-crl', 'router'],
  MariaDBOperator: ['server', 'client', 'ca', 'ca-key'],
  TiDBOperatorV1: ['component', 'cluster-client', 'server', 'client'],
  TiDBOperatorV2: ['component', 'cluster-client', 'server', 'client'],
  MongoDBCommunity: ['server', 'pem'],
  OTRedisOperator: ['server'],
  Strimzi: ['listener', 'user', 'cluster-ca-cert', 'cluster-ca-key', 'clients-ca-cert', 'clients-ca-key'],
  K8ssandra: ['stores'],
  CockroachDBChart: ['node', 'client-root'],
  CockroachDBOperator: ['node', 'client-root'],
  ECK: ['http', 'http-ca-key', 'transport-ca-key'],
  OpenSearchOperator: ['transport', 'http', 'admin'],
  EtcdOperator: ['server', 'peer', 'client'],
  Bitnami: ['pem', 'etcd', 'kafka-jks', 'cassandra', 'elasticsearch-jks'],
  AltinityClickHouse: ['server'],
  MySQLDataDirectory: ['server', 'client'],
  PostgreSQLFiles: ['server', 'client'],
  OpenXchange: ['client'],
} as const

export type Preset = keyof typeof layoutSecrets
export type SecretOf<P extends Preset> = (typeof layoutSecrets)[P][number]

/** Of charts there is one for nearly every engine. */
const ofBitnami = protocols.filter((engine) => engine !== 'TiDB' && engine !== 'CockroachDB')

/** Preset → the engines whose files it names. */
const layoutEngines: Readonly<Record<Preset, readonly EngineName[]>> = {
  CloudNativePG: ['PostgreSQL'],
  Zalando: ['PostgreSQL'],
  Crunchy: ['PostgreSQL'],
  PerconaPostgreSQL: ['PostgreSQL'],
  PerconaXtraDBCluster: ['MySQL'],
  PerconaServerMySQL: ['MySQL'],
  PerconaServerMongoDB: ['MongoDB'],
  OracleMySQLOperator: ['MySQL'],
  MariaDBOperator: ['MariaDB'],
  TiDBOperatorV1: ['TiDB'],
  TiDBOperatorV2: ['TiDB'],
  MongoDBCommunity: ['MongoDB'],
  OTRedisOperator: ['Redis', 'Valkey'],
  Strimzi: ['Kafka'],
  K8ssandra: ['Cassandra'],
  CockroachDBChart: ['CockroachDB'],
  CockroachDBOperator: ['CockroachDB'],
  ECK: ['Elasticsearch'],
  OpenSearchOperator: ['OpenSearch'],
  EtcdOperator: ['Etcd'],
  Bitnami: ofBitnami,
  AltinityClickHouse: ['ClickHouse'],
  MySQLDataDirectory: ['MySQL', 'MariaDB'],
  PostgreSQLFiles: ['PostgreSQL'],
  // For clients alone, of whatever speaks the protocol of MySQL.
  OpenXchange: ['MySQL', 'MariaDB', 'TiDB'],
}

export const presets = Object.keys(layoutSecrets) as Preset[]

export const isPreset = (name: string): name is Preset => Object.hasOwn(layoutSecrets, name)

export const presetsOf = (engine: EngineName): Preset[] =>
  presets.filter((preset) => layoutEngines[preset].includes(engine))

/** As `spec.secret.layout` says them: the preset, or one Secret of it. */
export const layoutNames: readonly string[] = presets.flatMap((preset) => [
  preset,
  ...layoutSecrets[preset].map((secret) => `${preset}/${secret}`),
])

/** Secrets of the CA alone: no certificate is issued for them, so they need no name. Those with its private key end in `ca-key`. */
export const authorityLayouts = layoutNames.filter((name) => /\/([a-z]+-)*ca(-cert|-key)?$/.test(name))

/** Those that write the private key as PKCS #1: impossible for a key that is not RSA. */
const ofRsaKeys = ['OpenXchange'] as const satisfies readonly Preset[]
/** Those whose reader knows PKCS #8 of RSA keys alone, so that Ed25519 has no form it could read. */
const ofTraditionalKeys = ['ECK'] as const satisfies readonly Preset[]

/** Layouts of a preset that hold a certificate, by its own name and by those of its Secrets. */
const allOf = (chosen: readonly Preset[]): string[] =>
  layoutNames
    .filter((name) => !authorityLayouts.includes(name))
    .filter((name) => chosen.some((preset) => name === preset || name.startsWith(`${preset}/`)))

export const rsaLayouts = allOf(ofRsaKeys)
export const traditionalLayouts = allOf(ofTraditionalKeys)

export const knownPreset: Rule = rule<string>({
  rule: `self in ${celList(presets)}`,
  message: `no preset of that name; use one of ${presets.join(', ')} (docs/layouts.md)`,
  holds: isPreset,
})

export const knownLayout: Rule = rule<string>({
  rule: `self == '' || self in ${celList(layoutNames)}`,
  message: `no layout of that name; use one of ${presets.join(', ')}, or one Secret of it, as CloudNativePG/replication (docs/layouts.md)`,
  holds: (self) => self === '' || layoutNames.includes(self),
})
