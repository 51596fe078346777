/** Servers that somebody else runs (RDS and its kin): the client's half of the engine whose protocol they speak. */
import type { DatabaseTLSProfileSpec } from '../../resources/database-tls-profile.ts'
import type { EngineName } from '../../resources/engines.ts'
import type { Definition } from './engine.ts'
import { definitions } from './index.ts'

export interface Chosen {
  readonly definition: Definition
  readonly managed: boolean
}

/** The protocol is known by its port where the profile does not name it; most managed servers keep the usual one. */
export const engineOf = ({ engine, connection }: Pick<DatabaseTLSProfileSpec, 'engine' | 'connection'>): Chosen => {
  if (engine !== 'External') return { definition: definitions[engine], managed: false }
  const byPort = Object.values(definitions).find(({ port }) => port === connection?.port)
  const name: EngineName = connection?.protocol ?? byPort?.engine ?? 'MySQL'
  return { definition: definitions[name], managed: true }
}
