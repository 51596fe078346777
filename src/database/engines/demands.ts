/** What engines ask of clients' accounts and of keys, where several ask the same. */
import { demands, type EngineName, limits } from '../../resources/engines.ts'
import type { Client, Context, Definition, Finding, KeyRequest } from './engine.ts'

/** Whether the account opens to nobody without a certificate. */
export const byCertificate = ({ require }: Pick<Client, 'require'>): boolean =>
  require === 'X509' || require === 'Subject'

/** For servers that can only ask every client for a certificate, or none. */
export const asksAll = ({ clients }: Pick<Context, 'clients'>): boolean => clients.every(byCertificate)

/** Refuses what the table of engines does not list, in the engine's own words. */
export const refusesDemands =
  (engine: EngineName, problem: string, cure: string): NonNullable<Definition['refusesRequire']> =>
  (require) =>
    (limits[engine].require ?? demands).includes(require) ? undefined : { problem, cure }

/** For servers that know a client by its password alone. */
export const oneAuthority = (engine: EngineName): NonNullable<Definition['refusesRequire']> =>
  refusesDemands(
    engine,
    `${engine} takes TLS connections alone here, and asks for certificates of one CA`,
    'set require: TLS, or X509',
  )

export const keyFinding = (engine: EngineName, { encoding }: KeyRequest): Finding | undefined =>
  limits[engine].pkcs8Only !== true || encoding === 'PKCS8'
    ? undefined
    : {
        problem: `${engine} reads private keys as PKCS #8 alone, and ${encoding} is another form`,
        cure: 'set encoding: PKCS8, or leave it out',
      }
