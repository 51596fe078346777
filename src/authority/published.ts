/** Where the certificate and the revocation list of a CA are served, as it is written into what the CA signs. Pure. */

import type { CertificateAuthority } from '../resources/certificate-authority.ts'

export interface PublishedUrls {
  /** For the plan's `crlDistributionPoints`; empty where no list is made, because a dead address makes strict clients fail. */
  readonly crlDistributionPoints: readonly string[]
  /** For the plan's `caIssuers` (RFC 5280 §4.2.2.1): DER. */
  readonly caIssuers: readonly string[]
}

const nowhere: PublishedUrls = { crlDistributionPoints: [], caIssuers: [] }

/** The addresses of the signing CA, `<publish.url>/ca/<namespace>/<name>.crl` and `.cer`; none without `spec.publish`. */
export const publishedUrls = ({ metadata, spec }: Pick<CertificateAuthority, 'metadata' | 'spec'>): PublishedUrls => {
  if (spec.publish === undefined) return nowhere
  const base = `${spec.publish.url.replace(/\/+$/, '')}/ca/${metadata.namespace ?? 'default'}/${metadata.name}`
  return {
    crlDistributionPoints: spec.crl === undefined || !spec.crl.enabled ? [] : [`${base}.crl`],
    caIssuers: [`${base}.cer`],
  }
}
