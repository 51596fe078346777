/** What goes to those who need a CA that signed nothing of theirs: clients of a managed server, and both sides where each has its own CA. */

import { storePassword } from '../trust/wanted.ts'
import type { Trust } from '../database/engines/engine.ts'
import { below } from '../database/engines/files.ts'
import type { Item } from '../resources/secret-items.ts'

interface Holder {
  readonly profile: string
}

export const serverTrustName = ({ profile }: Holder): string => `${profile}-server-ca`
export const clientTrustName = ({ profile }: Holder): string => `${profile}-client-ca`

/** Nothing of it is private, so the password is the one that every reader tries. */
export const trustItems: readonly Item[] = [
  { key: 'ca.crt', content: 'TrustBundle' },
  { key: 'truststore.p12', content: 'PKCS12Truststore', alias: 'ca' },
  { key: 'truststore.jks', content: 'JKSTruststore', alias: 'ca' },
]

export const trustPath = (mountPath: string, folder: string): string => below(below(mountPath, folder), 'ca.crt')

/** The public trust where it is mounted. */
export const publicTrust = (folder: string): Trust => ({
  pem: below(folder, 'ca.crt'),
  store: below(folder, 'truststore.p12'),
  storeType: 'PKCS12',
  password: storePassword,
})
