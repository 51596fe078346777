/** What is in a backup, in a line for people. */

import type { BackupContents } from './contents.ts'

export const countsOf = ({ authorities, certificates, configMaps, ledger, secrets }: BackupContents): string =>
  [
    counted(authorities, 'CertificateAuthority', 'CertificateAuthorities'),
    counted(ledger, 'ledger entry', 'ledger entries'),
    counted(certificates, 'DatabaseCertificate', 'DatabaseCertificates'),
    counted(secrets, 'Secret', 'Secrets'),
    counted(configMaps, 'ConfigMap', 'ConfigMaps'),
  ].join(', ')

const counted = ({ length }: readonly unknown[], one: string, many: string): string =>
  `${length} ${length === 1 ? one : many}`
