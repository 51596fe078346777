/** The cache of CertificateSigningRequests: only in an operator that signs them. */

import { Informer, type InformerOptions } from '../cluster/cache/informer.ts'
import type { KubeObject } from '../cluster/port.ts'
import { bySigner, type CertificateSigningRequest, certificateSigningRequests, ownOnly } from './kind.ts'

export const createRequestCache = (
  shared: Pick<InformerOptions<KubeObject>, 'cluster' | 'clock' | 'random' | 'log'>,
): Informer<CertificateSigningRequest> =>
  new Informer<CertificateSigningRequest>({
    ...shared,
    resource: certificateSigningRequests,
    transform: ownOnly,
    indexers: { signer: bySigner },
  })
