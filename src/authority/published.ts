/** Where the certificate and the revocation list of a CA are served, as it is written into what the CA signs. Pure. */

import { isDeepStrictEqual } from 'node:util'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'

export interface Publication {
  /** `<publish.url>/ca/<namespace>/<name>` */
  readonly base: string
  /** Whether there is a revocation list: a dead address makes strict clients fail. */
  readonly lists: boolean
}

export interface PublishedUrls {
  /** For the plan's `crlDistributionPoints`. */
  readonly crlDistributionPoints: readonly string[]
  /** For the plan's `caIssuers` (RFC 5280 §4.2.2.1): DER. */
  readonly caIssuers: readonly string[]
}

/** Undefined without `spec.publish`. */
export const publicationOf = ({
  metadata,
  spec,
}: Pick<CertificateAuthority, 'metadata' | 'spec'>): Publication | undefined =>
  spec.publish === undefined
    ? undefined
    : {
        base: `${spec.publish.url.replace(/\/+$/, '')}/ca/${metadata.namespace ?? 'default'}/${metadata.name}`,
        lists: spec.crl?.enabled === true,
      }

const nowhere: PublishedUrls = { crlDistributionPoints: [], caIssuers: [] }

/**
 * The addresses of the key that signs, `<base>/<key identifier>.crl` and `.cer`: those of the CA alone lead to another key
 * once it has rotated, and what the former key signed is still in use then. `keyId`: its subject key identifier.
 */
export const publishedUrls = (publication: Publication | undefined, keyId: Uint8Array): PublishedUrls =>
  publication === undefined ? nowhere : urlsAt(publication, `${publication.base}/${Buffer.from(keyId).toString('hex')}`)

const urlsAt = ({ lists }: Publication, base: string): PublishedUrls => ({
  crlDistributionPoints: lists ? [`${base}.crl`] : [],
  caIssuers: [`${base}.cer`],
})

/**
 * Whether a certificate names the addresses of the key that has signed it, or those of the CA alone, as certificates did
 * before there was one for each key: they are served, too, and nothing is signed anew for their sake.
 */
export const isPublishedAt = (
  publication: Publication | undefined,
  {
    crlDistributionPoints,
    caIssuers,
    authorityKeyId,
  }: Pick<ParsedCertificate, 'crlDistributionPoints' | 'caIssuers' | 'authorityKeyId'>,
): boolean => {
  const right = [
    ...(authorityKeyId === undefined ? [] : [publishedUrls(publication, authorityKeyId)]),
    publication === undefined ? nowhere : urlsAt(publication, publication.base),
  ]
  return right.some((urls) => isDeepStrictEqual(urls, { crlDistributionPoints, caIssuers }))
}
