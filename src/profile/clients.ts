/** The certificates of clients, and what files say of each. */

import type { Client, Definition, Finding, Subject } from '../database/engines/engine.ts'
import { below, filesOf } from '../database/engines/files.ts'
import { textFinding } from '../database/engines/identity.ts'
import type { Item } from '../resources/secret-items.ts'
import { mergedSubject, specOf } from './certificate-spec.ts'
import type { Shared, WantedCertificate } from './expansion.ts'
import { givenClients } from './given.ts'
import { matchingSubject } from './known.ts'
import type { Placement } from './layout.ts'
import { claim } from './servers.ts'
import { publicTrust, serverTrustName } from './trust.ts'

export interface ClientPart {
  readonly certificates: readonly WantedCertificate[]
  /** As files see it once its Secret is mounted; absent for the operator's own, who needs none. */
  readonly client?: (mountPath: string) => Client
}

export const clientParts = (shared: Shared): ClientPart[] => {
  const { clients = [], connection } = shared.profile.spec
  // Else it is told of with the client that it is for.
  const wrong = clients.length === 0 ? databaseFinding(shared, connection?.database) : undefined
  if (wrong !== undefined) shared.findings.refuse('spec.connection.database', wrong)
  return [...clients.flatMap((_, index) => partOf(shared, index) ?? []), ...operatorParts(shared)]
}

/** The users as which an operator itself logs in by certificate; those the profile lists are theirs to describe. */
const operatorParts = (shared: Shared): ClientPart[] => {
  const { profile, layout, holder, known } = shared
  const { spec } = profile
  if (!signs(shared)) return []
  const listed = new Set((spec.clients ?? []).map(({ name, username }) => username ?? name))
  const authority = spec.clientAuthorityRef === undefined ? known.authority : known.clientAuthority
  return layout.moreClients.flatMap(({ name, username }) => {
    const placement = layout.client(name, username)
    const object = `${holder.profile}-${name}`
    if (listed.has(username) || placement === undefined) return []
    if (!claim(shared, `layout ${placement.layout}`, object, placement.secretName, 'spec.layout')) return []
    const certificate = specOf(profile, {
      authorityRef: spec.clientAuthorityRef ?? spec.authorityRef,
      role: 'Client',
      subject: { commonName: username },
      matching: matchingSubject(authority ?? {}),
      encoding: 'PKCS8',
      ...placement,
    })
    return { certificates: [{ name: object, spec: certificate, part: 'client' }] }
  })
}

/** A CA that signs clients: External servers' own CA is only trusted. */
const signs = ({ profile, managed }: Shared): boolean => !managed || profile.spec.clientAuthorityRef !== undefined

const partOf = (shared: Shared, index: number): ClientPart | undefined => {
  const { profile, definition, findings, holder } = shared
  const { spec } = profile
  const clients = givenClients(profile)
  const given = clients[index]
  if (given === undefined) return undefined
  const field = (member: string): string => `spec.clients[${index}].${member}`
  const username = given.username ?? given.name
  const database = given.database ?? spec.connection?.database
  const texts: readonly (readonly [string, Finding | undefined])[] = [
    [field('username'), textFinding('username', username)],
    [field('host'), textFinding('host', given.host) ?? definition.refusesHost?.(given.host)],
    [given.database === undefined ? 'spec.connection.database' : field('database'), databaseFinding(shared, database)],
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
  const taken = certified ? identityFinding(shared, identity.subject, username) : undefined
  if (taken !== undefined) {
    findings.refuse(field(username === given.name ? 'name' : 'username'), taken)
    return undefined
  }
  // Without a certificate of theirs the default asks for what there cannot be.
  const demandOf = (one: { readonly require: Client['require'] }): Client['require'] =>
    certified || one.require !== 'X509' ? one.require : 'TLS'
  const require = demandOf(given)
  const authority = spec.clientAuthorityRef === undefined ? shared.known.authority : shared.known.clientAuthority
  const subject = certified ? mergedSubject(identity.subject, matchingSubject(authority ?? {})) : undefined
  const other = clients.slice(0, index).find((one) => {
    const login = {
      username: one.username ?? one.name,
      host: one.host,
      database: one.database ?? spec.connection?.database,
    }
    const same = definition.isOneAccount?.(login, { username, host: given.host, database }) === true
    return same && demandOf(one) !== require
  })
  if (other !== undefined) {
    findings.refuse(field('require'), {
      problem: `client "${other.name}" logs in as the same account and has require: ${demandOf(other)}, and the server makes one demand of both`,
      cure: `set ${demandOf(other)} here too, or give one of them a username of its own`,
    })
    return undefined
  }
  const unsupported = requireFinding(shared, require, subject, authority?.subject)
  if (unsupported !== undefined) {
    findings.refuse(field('require'), unsupported)
    return undefined
  }
  const found = shared.layout.client(given.name, username)
  // A layout with one Secret for a client gives it to the first.
  const isTaken = clients.slice(0, index).some((one) => found !== undefined && sharesPlace(shared, one, found))
  const placement = found?.single === true && isTaken ? undefined : found
  const secretName = given.secretName ?? placement?.secretName ?? `${holder.profile}-${given.name}-tls`
  const items = placement?.items ?? definition.clientItems({ username, java: given.java })
  // A layout decides for itself what it has for a JVM.
  const java = certified && placement !== undefined ? servesJava(definition, username, items) : given.java
  if (certified && given.java && !definition.clientItems({ username, java: true }).some(isForJava))
    findings.warn(field('java'), {
      problem: `drivers of ${definition.engine} for Java read the PEM files, so it adds nothing`,
      cure: 'leave java out, or write a DatabaseCertificate of its own where a JVM needs a keystore',
    })
  else if (given.java && !java)
    findings.warn(field('java'), {
      problem: `layout ${placement?.layout} has no place for what a JVM reads`,
      cure: 'leave java out, or write a DatabaseCertificate of its own for this client',
    })
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
    layout: placement?.layout,
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
      java,
      ...(subject === undefined ? {} : { subject }),
    }),
  }
}

/** A certificate that says what another one says would open what that one is for. */
const identityFinding = (
  { definition, holder, names: { identities } }: Shared,
  subject: Subject,
  username: string,
): Finding | undefined => {
  const text = JSON.stringify(subject)
  const ofServers = [definition.serverSubject, ...Object.values(definition.components).map((one) => one.subject)]
  if (
    ofServers
      .map((one) => one?.(holder))
      .some((one) => one?.refused === undefined && text === JSON.stringify(one?.subject))
  )
    return {
      problem: `common name "${subject.commonName}" is what the servers of this cluster are known by, and trusted for`,
      cure: 'choose another username',
    }
  const other = identities.get(text) ?? username
  identities.set(text, other)
  return other === username
    ? undefined
    : {
        problem: `its certificate would have common name "${subject.commonName}", by which user "${other}" of another client is known`,
        // It is one whose user makes no common name, so that its own name is it.
        cure: `give the client called "${subject.commonName}" another name`,
      }
}

/** Whether everything is there that `java: true` adds, be it as JKS. */
const servesJava = (definition: Definition, username: string, items: readonly Item[]): boolean => {
  const usual = new Set(definition.clientItems({ username, java: false }).map(({ content }) => content))
  const more = definition.clientItems({ username, java: true }).filter(({ content }) => !usual.has(content))
  const held = new Set<string>(items.map(({ content }) => content.replace('JKS', 'PKCS12')))
  return more.every(({ content }) => held.has(content))
}

/** Whether it is in a form that nobody but a JVM asks for. */
const isForJava = ({ content }: Item): boolean => content === 'PKCS12Keystore' || content === 'PrivateKeyDER'

const sharesPlace = (
  { layout }: Shared,
  { name, username, secretName }: { name: string; username?: string | undefined; secretName?: string | undefined },
  placement: Placement,
): boolean => secretName === undefined && layout.client(name, username ?? name)?.secretName === placement.secretName

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
      : { pem: files.trust, store: files.truststore, storeType: files.storeType }
  return { secretName: own?.secretName ?? serverTrustName(holder), folder: mountPath, files, trust }
}

const databaseFinding = ({ definition }: Shared, database: string | undefined): Finding | undefined =>
  database === undefined ? undefined : (textFinding('database', database) ?? definition.refusesDatabase?.(database))

/** Stands for any client where the profile names none, or none that is not refused. */
export const guest = (shared: Shared, mountPath: string): Client => {
  const database = shared.profile.spec.connection?.database
  return {
    ...mountedAt(shared, mountPath, undefined),
    name: 'client',
    host: '%',
    database: databaseFinding(shared, database) === undefined ? database : undefined,
    require: 'TLS',
    java: false,
  }
}
