/** What a layout says of the Secrets that a database operator or chart expects. */
import type { OutputItem } from '../../material/contents.ts'

export type Role = 'Server' | 'Client' | 'Peer'

/** One Secret, as the operator's own code or documentation fixes it. */
export interface LayoutSecret {
  /**
   * Its name; `{cluster}`, `{component}` and `{client}` stand for those. What a person chooses in the operator's own
   * resource is proposed here; what the operator looks for under exactly this name is `fixedName`.
   */
  readonly secretName: string
  readonly fixedName?: true
  /** What the certificate in it is used for; the preset's own name stands for the first Secret that has the role. */
  readonly roles: readonly Role[]
  readonly type: 'kubernetes.io/tls' | 'Opaque'
  readonly items: readonly OutputItem[]
  /** Values may hold `{cluster}` where the name is fixed. */
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  /** Annotation → key: decimal, one more each time that what stands under the key has changed. */
  readonly counters?: Readonly<Record<string, string>>
  /** The common name that the operator takes for the identity. */
  readonly commonName?: string
}

/** By the name of the Secret in layout-names.ts. */
export type Layout<Name extends string> = Readonly<Record<Name, LayoutSecret>>

/** tls.crt, tls.key and ca.crt, as cert-manager writes them and most operators read them. */
export const usualItems: readonly OutputItem[] = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey' },
  { key: 'ca.crt', content: 'TrustBundle' },
]

type Usual = Pick<LayoutSecret, 'secretName' | 'roles'> & Partial<LayoutSecret>

/** What `authoritySecret` needs to know. */
interface AuthoritySecret extends Partial<LayoutSecret> {
  readonly secretName: string
  readonly items: readonly OutputItem[]
}

/** A Secret of what is the CA's alone: no certificate is issued for it. */
export const authoritySecret = (secret: AuthoritySecret): LayoutSecret => ({ type: 'Opaque', roles: [], ...secret })

/** For operators that sign by themselves; the certificate that the key belongs to is the only one. */
export const signingItems = (
  certificateKey: string,
  privateKeyKey: string,
  encoding: OutputItem['encoding'],
): readonly OutputItem[] => [
  { key: certificateKey, content: 'AuthorityCertificate' },
  { key: privateKeyKey, content: 'AuthorityPrivateKey', encoding },
]

/** The names of files that a server, and below its user's home a client, looks for without being told. */
export const wellKnownFiles = (
  server: readonly OutputItem[],
  client: readonly OutputItem[],
): Layout<'server' | 'client'> => ({
  server: { secretName: '{cluster}-server-tls', roles: ['Server', 'Peer'], type: 'Opaque', items: server },
  client: { secretName: '{cluster}-{client}-tls', roles: ['Client'], type: 'Opaque', items: client },
})

/** A Secret of type kubernetes.io/tls with the three usual keys. */
export const usual = (secret: Usual): LayoutSecret => ({ type: 'kubernetes.io/tls', items: usualItems, ...secret })
