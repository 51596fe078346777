/** What engines ask of clients' accounts and of keys, where several ask the same. */
import type { Client, Context, Definition, KeyRequest } from './engine.ts'

/** Whether the account opens to nobody without a certificate. */
export const byCertificate = ({ require }: Pick<Client, 'require'>): boolean =>
  require === 'X509' || require === 'Subject'

/** For servers that can only ask every client for a certificate, or none. */
export const asksAll = ({ clients }: Pick<Context, 'clients'>): boolean => clients.every(byCertificate)

/** For servers with no port for plain connections, and no account that asks for the CA of a certificate. */
export const tlsAlone =
  (problem: string, cure: string): NonNullable<Definition['refusesRequire']> =>
  (require) =>
    require === 'None' || require === 'Issuer' ? { problem, cure } : undefined

/** The same for servers that know a client by its password alone. */
export const oneAuthority = (engine: string): NonNullable<Definition['refusesRequire']> =>
  tlsAlone(
    `${engine} takes TLS connections alone here, and asks for certificates of one CA`,
    'set require: TLS, or X509',
  )

export const pkcs8Only = (engine: string) => (key: KeyRequest) =>
  key.encoding === 'PKCS8'
    ? undefined
    : {
        problem: `${engine} reads private keys as PKCS #8 alone, and ${key.encoding} is another form`,
        cure: 'set encoding: PKCS8, or leave it out',
      }
