/** The ledger as an auditor reads it. */
import { X509Certificate } from 'node:crypto'
import type { Api, LedgerThing } from './api.ts'

export const ledgerOf = (api: Api, namespace: string): Promise<readonly LedgerThing[]> =>
  api.list<LedgerThing>('issuedcertificates', namespace)

export const entriesFor = async (api: Api, namespace: string, name: string): Promise<readonly LedgerThing[]> =>
  (await ledgerOf(api, namespace)).filter(({ spec }) => spec.certificateRef?.name === name)

/** Sentences: a serial twice, an entry whose certificate is not the one it names, a serial seen in a Secret but not here. */
export const ledgerProblems = (entries: readonly LedgerThing[], seen: Iterable<string>): string[] => {
  const problems: string[] = []
  const known = new Set<string>()
  for (const { metadata, spec } of entries) {
    if (known.has(spec.serialNumber)) problems.push(`serial ${spec.serialNumber} is twice in the ledger`)
    known.add(spec.serialNumber)
    if (new X509Certificate(spec.certificate).serialNumber !== spec.serialNumber)
      problems.push(`${metadata.name} holds another certificate than it names`)
  }
  for (const serial of seen) if (!known.has(serial)) problems.push(`serial ${serial} reached a Secret unrecorded`)
  return problems
}
