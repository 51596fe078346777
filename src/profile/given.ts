/** What a profile asks for of its clients, with what is meant where it says nothing. Pure. */

import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'

type Listed = NonNullable<DatabaseTLSProfile['spec']['clients']>[number]
type Decided = 'host' | 'require' | 'java'
type GivenClient = Omit<Listed, Decided> & { readonly [Member in Decided]: NonNullable<Listed[Member]> }

/** Not in the schema: a default within a list is seen as a drift from what stands in Git. */
export const givenClients = ({ spec }: Pick<DatabaseTLSProfile, 'spec'>): GivenClient[] =>
  (spec.clients ?? []).map(({ host = '%', require = 'X509', java = false, ...rest }) => ({
    ...rest,
    host,
    require,
    java,
  }))
