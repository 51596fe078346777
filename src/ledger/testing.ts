/** Ledger entries as the cache holds them, for tests. Not imported by the program. */

import type { LedgerEntry } from './entry.ts'

export const entryOf = (serialNumber: string, change: Partial<LedgerEntry> = {}): LedgerEntry => ({
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'IssuedCertificate',
  metadata: {
    name: `ca-${serialNumber.toLowerCase()}`,
    namespace: 'data',
    uid: `u-${serialNumber}`,
    resourceVersion: '1',
  },
  serialNumber,
  authority: 'data/ca',
  authorityUid: 'ca-uid',
  authorityKeyId: undefined,
  holder: 'h',
  holderKey: 'data/orders',
  supersedes: undefined,
  takesName: false,
  state: 'Valid',
  marked: 'Valid',
  revocation: undefined,
  compromisedKey: undefined,
  createdAt: 300_000,
  notBefore: 0,
  notAfter: Number.MAX_SAFE_INTEGER,
  commonName: undefined,
  isCa: false,
  isRestored: false,
  hasRequest: false,
  ...change,
})
