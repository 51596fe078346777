/** certificates.k8s.io/v1 CertificateSigningRequest: what is read and written of it. */

import type { KubeObject, Resource } from '../cluster/port.ts'

export interface RequestCondition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastUpdateTime?: string
  readonly lastTransitionTime?: string
}

export interface CertificateSigningRequest extends KubeObject {
  readonly spec: {
    /** Base64 of the PEM. */
    readonly request: string
    readonly signerName: string
    /** s; a signer may give less. */
    readonly expirationSeconds?: number
    readonly usages?: readonly string[]
    /** Set by the API server. */
    readonly username?: string
  }
  readonly status?: {
    readonly conditions?: readonly RequestCondition[]
    /** Base64 of the PEM. */
    readonly certificate?: string
  }
}

export const certificateSigningRequests: Resource<CertificateSigningRequest> = {
  group: 'certificates.k8s.io',
  version: 'v1',
  plural: 'certificatesigningrequests',
  kind: 'CertificateSigningRequest',
  namespaced: false,
}

const domain = 'dbtls.dev/'

/** `namespace/name` of the CA that `dbtls.dev/<namespace>.<name>` stands for; undefined for a signer of somebody else. */
export const authorityOfSigner = (signerName: string): string | undefined => {
  if (!signerName.startsWith(domain)) return undefined
  // A namespace has no dot, a CA's name may have some.
  const [namespace = '', ...rest] = signerName.slice(domain.length).split('.')
  const name = rest.join('.')
  return namespace === '' || name === '' ? undefined : `${namespace}/${name}`
}

/** Index: the requests to one CA. */
export const bySigner = ({ spec }: CertificateSigningRequest): string[] => {
  const authority = authorityOfSigner(spec.signerName)
  return authority === undefined ? [] : [authority]
}

/** Of requests to others nothing is kept but that they are there. */
export const ownOnly = (object: CertificateSigningRequest): CertificateSigningRequest => {
  if (authorityOfSigner(object.spec.signerName) !== undefined) return object
  const { apiVersion, kind, metadata, spec } = object
  const { name, uid, resourceVersion } = metadata
  return {
    apiVersion,
    kind,
    metadata: { name, uid, resourceVersion } as CertificateSigningRequest['metadata'],
    spec: { request: '', signerName: spec.signerName },
  }
}
