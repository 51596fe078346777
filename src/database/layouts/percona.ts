/** Percona's operators for MySQL and MongoDB; that for PostgreSQL is in crunchy.ts. */
import { type Layout, usual } from './layout.ts'

const names = ['{cluster}-ssl', '{cluster}-ssl-internal'] as const

/** Galera members are each other's clients. */
const inside = usual({ secretName: names[1], roles: ['Peer'] })

export const perconaXtraDb: Layout<'ssl' | 'ssl-internal'> = {
  ssl: usual({ secretName: names[0], roles: ['Server'] }),
  'ssl-internal': inside,
}

export const perconaServerMySql: Layout<'ssl'> = {
  ssl: usual({ secretName: names[0], roles: ['Server', 'Peer'] }),
}

export const perconaServerMongoDb: Layout<'ssl' | 'ssl-internal'> = {
  ssl: usual({ secretName: names[0], roles: ['Server'] }),
  'ssl-internal': inside,
}
