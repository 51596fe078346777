/** The certificates of clients, and what files say of each. */

import type { Client, Finding, Subject } from '../database/engines/engine.ts'
import { below, filesOf } from '../database/engines/files.ts'
import { textFinding } from '../database/engines/identity.ts'
import type { Item } from '../resources/secret-items.ts'
import { mergedSubject, specOf } from './certificate-spec.ts'
import type { Shared, WantedCertificate } from './expand.ts'
import { matchingSubject } from './known.ts'
import { claim } from './servers.ts'
import { publicTrust, serverTrustName } from './trust.ts'

export interface ClientPart {
  readonly certificates: readonly WantedCertificate[]
  /** As files see it once its Secret is mounted. */
  readonly client: (mountPath: string) => Client
}

export const clientParts = (shared: Shared): ClientPart[] =>
  (shared.profile.spec.clients ?? []).flatMap((_, index) => partOf(shared, index) ?? [])

/** A CA that signs clients: External servers' own CA is only trusted. */
const signs = ({ profile, managed }: Shared): boolean => !managed || profile.spec.clientAuthorityRef !== undefined

const partOf = (shared: Shared, index: number): ClientPart | undefined => {
  const { profile, definition, findings, holder } = shared
  const { spec } = profile
  const given = spec.clients?.[index]
  if (given === undefined) return undefined
  const field = (member: string): string => `spec.clients[${index}].${member}`
  const username = given.username ?? given.name
  const database = given.database ?? spec.connection?.database
  const texts: readonly (readonly [string, Finding | undefined])[] = [
    [field('username'), textFinding('username', username)],
    [field('host'), textFinding('host', given.host)],
    [
      given.database === undefined ? 'spec.connection.database' : field('database'),
      database === undefined
        ? undefined
        : (textFinding('database', database) ?? definition.refusesDatabase?.(database)),
    ],
  ]
  const wrong = texts.filter(([, finding]) => finding !== undefined)
  for (const [where, finding] of wrong) if (finding !== undefined) findings.refuse(where, finding)
  if (wrong.length > 0) return undefined
  const identity = definition.identity({ ...holder, name: given.name, username })
  if (identity.refused !== undefined) {
    findings.refuse(field('username'), identity.refused)
    return undefined
  }
  const certified = signs(shared)
  // Without a certificate of theirs the default asks for what there cannot be.
  const require = certified || given.require !== 'X509' ? given.require : 'TLS'
  const authority = spec.clientAuthorityRef === undefined ? shared.known.authority : shared.known.clientAuthority
  const subject = certified ? mergedSubject(identity.subject, matchingSubject(authority ?? {})) : undefined
  const unsupported = requireFinding(shared, require, subject, authority?.subject)
  if (unsupported !== undefined) {
    findings.refuse(field('require'), unsupported)
    return undefined
  }
  const secretName = given.secretName ?? `${holder.profile}-${given.name}-tls`
  const items = definition.clientItems({ username, java: given.java })
  const name = `${holder.profile}-${given.name}`
  const where = given.secretName === undefined ? field('name') : field('secretName')
  if (certified && !claim(shared, `client ${given.name}`, name, secretName, where)) return undefined
  const wish = {
    authorityRef: spec.clientAuthorityRef ?? spec.authorityRef,
    role: 'Client',
    subject: identity.subject,
    matching: matchingSubject(authority ?? {}),
    secretName,
    items,
    encoding: 'PKCS8',
  } as const
  return {
    certificates: certified ? [{ name, spec: specOf(profile, wish), part: 'client' }] : [],
    client: (mountPath) => ({
      ...mountedAt(shared, mountPath, certified ? { secretName, items } : undefined),
      username,
      name: given.name,
      host: given.host,
      database,
      require,
      java: given.java,
      ...(subject === undefined ? {} : { subject }),
    }),
  }
}

const requireFinding = (
  { definition, managed }: Shared,
  require: Client['require'],
  subject: Subject | undefined,
  issuer: Uint8Array | undefined,
): Finding | undefined => {
  if (subject === undefined && (require === 'Subject' || require === 'Issuer'))
    return {
      problem: `${managed ? 'an External server' : definition.engine} is shown no certificate of this client`,
      cure: 'set require: TLS, or name in clientAuthorityRef a CA that the server trusts',
    }
  return definition.refusesRequire?.(require, subject ?? {}, issuer)
}

/** Where its files are, and by what it knows the server: its own CA, unless the server's is another one. */
const mountedAt = (
  { profile, managed, holder }: Shared,
  mountPath: string,
  own: { readonly secretName: string; readonly items: readonly Item[] } | undefined,
): Pick<Client, 'secretName' | 'folder' | 'files' | 'trust'> => {
  const files = filesOf(mountPath, own?.items ?? [])
  const apart = profile.spec.clientAuthorityRef !== undefined
  const trust = apart
    ? publicTrust(below(mountPath, 'server-ca'))
    : managed
      ? publicTrust(mountPath)
      : { pem: files.trust, pkcs12: files.truststore }
  return { secretName: own?.secretName ?? serverTrustName(holder), folder: mountPath, files, trust }
}

/** Stands for any client where the profile names none. */
export const guest = (shared: Shared, mountPath: string): Client => ({
  ...mountedAt(shared, mountPath, undefined),
  name: 'client',
  host: '%',
  database: shared.profile.spec.connection?.database,
  require: 'TLS',
  java: false,
})
