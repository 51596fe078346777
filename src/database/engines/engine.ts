/**
 * What a database engine says of itself: a file an engine, a row in index.ts. Engines know no cluster: they are given a plain
 * context and answer with plain values.
 */
import type { Demand, EngineName } from '../../resources/engines.ts'
import type { Item } from '../../resources/secret-items.ts'
import type { DialectName } from '../connect/dialects/table.ts'
import type { Files, StoreType } from './files.ts'
import type { Version } from './version.ts'

export type Role = 'Server' | 'Client' | 'Peer'

/** How a connection to the server begins, in the words of the room that connects. */
export type Dialect = DialectName

/** Something about a profile that a person should know: where, what, and what to do. */
export interface Remark {
  /** `spec.clients[2].username`. */
  readonly field: string
  readonly problem: string
  readonly cure: string
}
export type Finding = Omit<Remark, 'field'>

/** The attributes of a subject; those a CA's policy copies are added by the caller. */
export interface Subject {
  readonly commonName?: string | undefined
  readonly organizations?: readonly string[] | undefined
  readonly organizationalUnits?: readonly string[] | undefined
}

/** The certificate that a server process presents, where it has been mounted. */
export interface Mounted {
  readonly secretName: string
  readonly folder: string
  readonly files: Files
  /** What the certificate says of its holder; empty where that is nothing. */
  readonly subject: Subject
}

export interface Client extends Omit<Mounted, 'subject'> {
  /** Absent: stands for any client, where a profile names none. */
  readonly username?: string | undefined
  /** Name in the profile; a DNS label. */
  readonly name: string
  /** Host part of the account, where the engine has one. */
  readonly host: string
  readonly database?: string | undefined
  readonly require: Demand
  readonly java: boolean
  /** The subject of its certificate; absent where it has none. */
  readonly subject?: Subject | undefined
  /** By what it knows the server. */
  readonly trust: Trust
}

export interface Trust {
  /** PEM. */
  readonly pem: string
  readonly store: string
  readonly storeType: StoreType
  /** Of the truststore, where it is no secret; absent: it stands in the client's Secret. */
  readonly password?: string | undefined
}

export interface Context {
  readonly profile: string
  readonly namespace: string
  readonly version: Version
  /** Somebody else runs the servers: only what concerns clients applies. */
  readonly managed: boolean
  readonly host: string
  readonly port: number
  readonly server: Mounted
  readonly components: ReadonlyMap<string, Mounted>
  /** PEM by which servers know clients, on the servers' side. */
  readonly clientTrust: string
  readonly clients: readonly Client[]
  /** DER Name of the CA that signs clients, where it is known. */
  readonly clientIssuer?: Uint8Array | undefined
}

/** Whom a certificate is for; names of the profile and its namespace make identities of one CA distinct. */
export interface Holder {
  readonly profile: string
  readonly namespace: string
}

export interface Account extends Holder {
  /** Name in the profile. */
  readonly name: string
  readonly username: string
}

export type Identity = { readonly subject: Subject; readonly refused?: never } | { readonly refused: Finding }

/** A kind of server beside the one that clients connect to, with a certificate of its own. */
export interface Component {
  readonly role: 'Server' | 'Peer' | 'Client'
  /** Made even where the profile does not list it, for the servers of the topology. */
  readonly always?: true
  /** Made as soon as any component is listed. */
  readonly withOthers?: true
  /** No certificate of its own: the server shows the same one to its peers, which makes that one a peer's. */
  readonly raisesServer?: true
  /** Clients connect to it as well, so the server's certificate names it too. */
  readonly facesClients?: true
  /** Its servers are those of the topology; what the component lists is added. */
  readonly sharesTopology?: true
  /** The subject of its certificates where that is an identity. */
  readonly subject?: (holder: Holder) => Identity
  /** Listens there, for probes; absent: not probed. */
  readonly port?: number
  readonly dialect?: Dialect
}

/** `Statement`: strategy SQL can do it. `Automatic`: the server looks itself. `Restart`: only a restart helps. */
export type ReloadWay = 'Statement' | 'Signal' | 'Command' | 'Automatic' | 'Restart'

export interface Reload {
  readonly leaf: ReloadWay
  /** The CAs by which the server knows clients and peers. */
  readonly authority: ReloadWay
  /** For strategy SQL, in the engine's own language, one connection, in this order. */
  readonly statements: readonly string[]
  /** A pair that does not belong together: kept out and reported, kept out in silence, or no more service. */
  readonly onMismatch: 'KeepsOld' | 'KeepsOldSilently' | 'LosesService'
}

export interface KeyRequest {
  readonly algorithm: 'RSA' | 'ECDSA' | 'Ed25519'
  readonly size?: number | undefined
  readonly encoding: 'PKCS8' | 'PKCS1' | 'SEC1'
}

/** What only the whole profile shows. `authoritySelfSigned` is undefined where it is not known. */
export interface Circumstances {
  readonly components: readonly string[]
  readonly authoritySelfSigned?: boolean | undefined
  /** DNS names besides the loopback. */
  readonly dnsNames: readonly string[]
  readonly clients: readonly Pick<Client, 'require'>[]
}

/** As whom a client logs in, from where and to what. */
export interface Login {
  readonly username: string
  readonly host: string
  /** Absent: any. */
  readonly database: string | undefined
}

export interface Definition {
  readonly engine: EngineName
  /** The oldest and the newest version whose files are known; a newest without a minor stands for all of its major. */
  readonly versions: { readonly oldest: string; readonly newest: string }
  readonly port: number
  readonly dialect: Dialect
  /** Whether every checker of members' names takes `*.h` for `s-0.h`: Go and Java do, OpenSSL does not. */
  readonly bareWildcards: boolean
  readonly serverRole: 'Server' | 'Peer'
  readonly components: Readonly<Record<string, Component>>
  /** The subject of servers where their common name is an identity; absent: one of their names. */
  readonly serverSubject?: (holder: Holder) => Identity
  readonly identity: (account: Account) => Identity
  readonly serverItems: readonly Item[]
  readonly clientItems: (client: { readonly username: string; readonly java: boolean }) => readonly Item[]
  readonly warnsOfKey?: (key: KeyRequest, version: Version) => Finding | undefined
  /** Refusal of what a client's account should demand. `issuer` is undefined while its CA has no certificate. */
  readonly refusesRequire?: (require: Demand, subject: Subject, issuer: Uint8Array | undefined) => Finding | undefined
  /** Whether what two clients have to show is one demand of the server's; absent: each client has its own. */
  readonly isOneAccount?: (a: Login, b: Login) => boolean
  readonly refusesHost?: (host: string) => Finding | undefined
  readonly refusesDatabase?: (database: string) => Finding | undefined
  readonly refuses?: (seen: Circumstances) => readonly Remark[]
  readonly warns?: (seen: Circumstances) => readonly Remark[]
  readonly reload: (version: Version, context: Pick<Context, 'server' | 'clientTrust' | 'components'>) => Reload
  /** Key of the ConfigMap → text, for whoever runs the servers. Nothing secret. */
  readonly serverFiles: (context: Context) => Readonly<Record<string, string>>
  /** The same for clients; commands.md among them. */
  readonly clientFiles: (context: Context) => Readonly<Record<string, string>>
}
