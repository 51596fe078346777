/** The table of our kinds. A new kind is one file and one line here. */
import { certificateAuthorityKind } from './certificate-authority.ts'
import { databaseCertificateKind } from './database-certificate.ts'
import { databaseTLSProfileKind } from './database-tls-profile.ts'
import { issuedCertificateKind } from './issued-certificate.ts'
import type { CustomKind } from './kind.ts'

export const kinds: readonly CustomKind[] = [
  certificateAuthorityKind,
  databaseCertificateKind,
  databaseTLSProfileKind,
  issuedCertificateKind,
]
