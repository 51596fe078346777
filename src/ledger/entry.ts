/**
 * What the operator keeps in memory of an IssuedCertificate: enough to find, supersede and count entries, without the PEM.
 */

import type { KubeObject } from '../cluster/port.ts'
import type { IssuedCertificate } from '../resources/issued-certificate.ts'

export interface LedgerEntry extends KubeObject {
  readonly serialNumber: string
  /** `namespace/name` of the CA. */
  readonly authority: string
  /** uid of the resource that the certificate was issued for. */
  readonly holder: string | undefined
  readonly supersedes: string | undefined
  readonly state: 'Valid' | 'Superseded' | 'Revoked' | 'Expired'
}

/** The transform of the ledger's cache. */
export const project = (entry: IssuedCertificate): LedgerEntry => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = entry.metadata
  const { spec, status } = entry
  return {
    apiVersion: entry.apiVersion,
    kind: entry.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    serialNumber: spec.serialNumber,
    authority: `${namespace}/${spec.authorityRef.name}`,
    holder: spec.certificateRef?.uid,
    supersedes: spec.supersedes?.serialNumber,
    state: spec.revocation === undefined ? (status?.state ?? 'Valid') : 'Revoked',
  }
}
