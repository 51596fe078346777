/** Words of Java for the keystore and the truststore of a client, whose passwords come out of its environment. */
import type { Client } from './engine.ts'
import { quotedString } from './quote/yaml.ts'
import { passwordNote } from './text.ts'

export const storesPassword = 'System.getenv("KEYSTORE_PASSWORD")'

export const fileOf = (path: string): string => `new File(${quotedString(path)})`

export const trustPassword = ({ trust }: Client): string =>
  trust.password === undefined ? storesPassword : quotedString(trust.password)

/** What the variable holds; undefined where none of the stores needs it. */
export const storesVariable = (client: Client, showsCertificate: boolean): string | undefined =>
  showsCertificate || client.trust.password === undefined
    ? `KEYSTORE_PASSWORD holds ${passwordNote(client)}`
    : undefined
