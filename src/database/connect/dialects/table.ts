/** Every dialect by name. A new one is a row here. */

import type { Dialect } from './dialect.ts'
import { mysql } from './mysql.ts'
import { cassandra, http, kafka, mongodb, plain, redis, zookeeper } from './plain.ts'
import { postgresql, postgresqlDirect } from './postgresql.ts'

export const dialects = {
  plain,
  mysql,
  postgresql,
  'postgresql-direct': postgresqlDirect,
  redis,
  kafka,
  cassandra,
  http,
  zookeeper,
  mongodb,
} as const satisfies Readonly<Record<string, Dialect>>

export type DialectName = keyof typeof dialects
