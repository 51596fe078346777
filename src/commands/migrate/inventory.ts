/** What was read of cert-manager, and who is who in it. Pure. */

import { isMembers, type Members, own } from './fields.ts'

export const certManagerGroup = 'cert-manager.io'
export const certManagerKinds = ['Certificate', 'Issuer', 'ClusterIssuer'] as const
export type CertManagerKind = (typeof certManagerKinds)[number]

export interface Found {
  readonly kind: CertManagerKind
  /** Empty for a ClusterIssuer. */
  readonly namespace: string
  readonly name: string
  readonly object: Members
}

/** `Certificate data/orders` */
export const titleOf = ({ kind, namespace, name }: Omit<Found, 'object'>): string =>
  `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`

export const issuerTypes = ['ca', 'selfSigned', 'acme', 'vault', 'venafi'] as const
export type IssuerType = (typeof issuerTypes)[number]

export const issuerTypeOf = ({ object }: Found): IssuerType | undefined =>
  issuerTypes.find((type) => isMembers(own(object, 'spec', type)))

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

export type IssuerSeen =
  | { readonly state: 'found'; readonly issuer: Found; readonly type: IssuerType | undefined }
  | { readonly state: 'missing'; readonly title: string }
  | { readonly state: 'foreign'; readonly title: string }

export class Inventory {
  readonly issuers: readonly Found[]
  readonly certificates: readonly Found[]
  readonly #byTitle: ReadonlyMap<string, Found>

  constructor(found: readonly Found[]) {
    this.certificates = found.filter(({ kind }) => kind === 'Certificate')
    this.issuers = found.filter(({ kind }) => kind !== 'Certificate')
    this.#byTitle = new Map(this.issuers.map((issuer) => [titleOf(issuer), issuer]))
  }

  /** Who signs a Certificate. */
  issuerOf({ namespace, object }: Found): IssuerSeen {
    const reference = own(object, 'spec', 'issuerRef')
    const group = text(own(reference, 'group')) || certManagerGroup
    const kind = text(own(reference, 'kind')) || 'Issuer'
    const name = text(own(reference, 'name'))
    if (group !== certManagerGroup || (kind !== 'Issuer' && kind !== 'ClusterIssuer'))
      return { state: 'foreign', title: `${kind}.${group} ${name}` }
    const title = titleOf({ kind, namespace: kind === 'Issuer' ? namespace : '', name })
    const issuer = this.#byTitle.get(title)
    return issuer === undefined ? { state: 'missing', title } : { state: 'found', issuer, type: issuerTypeOf(issuer) }
  }
}

export const isAuthority = ({ object }: Found): boolean => own(object, 'spec', 'isCA') === true

/** Of a Certificate. */
export const secretNameOf = ({ object }: Found): string => text(own(object, 'spec', 'secretName'))

/** Of a CA issuer. */
export const authoritySecretOf = ({ object }: Found): string => text(own(object, 'spec', 'ca', 'secretName'))
