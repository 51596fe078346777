/**
 * The engines a profile may name: a row for each, with what of a profile it can never do, whatever its version. Admission refuses
 * that; everything else is the business of src/database/engines, which has a file for every name here.
 */

export const demands = ['None', 'TLS', 'X509', 'Subject', 'Issuer'] as const
/** What the account of a client demands of a connection. */
export type Demand = (typeof demands)[number]

interface Limits {
  /** Reads private keys in no other form. */
  readonly pkcs8Only?: true
  /** The CAs of clients and those of other servers are one file, so there can be no CA for clients alone: always, or with this component. */
  readonly oneTrustFile?: true | { readonly component: string }
  /** What an account may demand; absent: everything. */
  readonly require?: readonly Demand[]
  /** Some version of it has a statement that reloads certificates. */
  readonly hasStatement?: true
}

/** For servers with no port for plain connections, and no account that asks for the CA of a certificate. */
const tlsAlone: readonly Demand[] = ['TLS', 'X509', 'Subject']

const rows = {
  MySQL: { hasStatement: true, oneTrustFile: { component: 'group-replication' } },
  MariaDB: { hasStatement: true },
  PostgreSQL: { hasStatement: true },
  TiDB: { hasStatement: true },
  MongoDB: { hasStatement: true, oneTrustFile: true, require: ['None', 'TLS', 'X509', 'Subject'] },
  Redis: { hasStatement: true, oneTrustFile: true, require: tlsAlone },
  Valkey: { hasStatement: true, oneTrustFile: true, require: tlsAlone },
  Cassandra: { pkcs8Only: true, require: tlsAlone },
  CockroachDB: { require: tlsAlone },
  ClickHouse: { oneTrustFile: true, require: tlsAlone },
  Kafka: { pkcs8Only: true, oneTrustFile: true, require: tlsAlone },
  Elasticsearch: { require: tlsAlone },
  OpenSearch: { pkcs8Only: true, require: tlsAlone },
  Etcd: { oneTrustFile: true, require: ['X509', 'Subject'] },
  ZooKeeper: { require: tlsAlone },
} as const satisfies Readonly<Record<string, Limits>>

export type EngineName = keyof typeof rows
/** External: servers that somebody else runs, which speak the protocol of one of the others. */
export type Engine = EngineName | 'External'

export const limits: Readonly<Record<EngineName, Limits>> = rows
export const protocols = Object.keys(rows) as EngineName[]
export const engines: readonly Engine[] = [...protocols, 'External']

export const enginesThat = (holds: (row: Limits) => boolean): EngineName[] =>
  protocols.filter((engine) => holds(limits[engine]))
