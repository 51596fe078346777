/** CertificateAuthority: a CA that signs, or only a trust anchor. */
import type { KubeObject, Resource } from '../cluster/port.ts'
import type { CustomKind } from './kind.ts'
import { ageColumn, messageColumn, readyColumn, reasonColumn, resourceOf } from './kind.ts'
import { rule } from './rule.ts'
import type { CertificateAuthoritySpec } from './certificate-authority-spec.ts'
import { certificateAuthoritySpec, newAuthority } from './certificate-authority-spec.ts'
import type { CertificateAuthorityStatus } from './certificate-authority-status.ts'
import { certificateAuthorityStatus } from './certificate-authority-status.ts'

export type { CertificateAuthoritySpec, CertificateAuthorityStatus }
export { certificateAuthoritySpec }

export interface CertificateAuthority extends KubeObject {
  readonly spec: CertificateAuthoritySpec
  readonly status?: CertificateAuthorityStatus
}

interface ObjectValue {
  metadata: { name: string }
  spec: { secretName?: string }
}

const effectiveSecretName = (value: ObjectValue): string => value.spec.secretName ?? `${value.metadata.name}-ca`
const celSecretName = (value: string): string =>
  `(has(${value}.spec.secretName) ? ${value}.spec.secretName : ${value}.metadata.name + '-ca')`

/** The Secret that holds certificate, key and chain of the CA. */
export const authoritySecretName = (authority: CertificateAuthority): string =>
  authority.spec.secretName ?? `${authority.metadata.name}-ca`

export const certificateAuthorities: Resource<CertificateAuthority> = resourceOf(
  'CertificateAuthority',
  'certificateauthorities',
)

export const certificateAuthorityKind: CustomKind<CertificateAuthority> = {
  resource: certificateAuthorities,
  singular: 'certificateauthority',
  shortNames: ['dbca'],
  description: 'A certificate authority that signs, or only a trust anchor.',
  spec: certificateAuthoritySpec,
  status: certificateAuthorityStatus,
  nameMaxLength: 63,
  rules: [
    rule<ObjectValue>({
      rule: `${celSecretName('self')} == ${celSecretName('oldSelf')}`,
      message: `the key stays where it is; ${newAuthority}`,
      fieldPath: '.spec.secretName',
      reason: 'FieldValueForbidden',
      holds: (self, old) => effectiveSecretName(self) === effectiveSecretName(old),
    }),
  ],
  columns: [
    readyColumn,
    reasonColumn,
    { name: 'Subject', type: 'string', jsonPath: '.status.certificate.subject' },
    { name: 'NotAfter', type: 'string', jsonPath: '.status.certificate.notAfter' },
    { name: 'Rotation', type: 'string', jsonPath: '.status.rotation.phase', priority: 1 },
    messageColumn,
    ageColumn,
  ],
  selectableFields: ['.spec.secretName', '.spec.source.intermediate.authorityRef.name'],
}
