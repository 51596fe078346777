/**
 * The last lists of keys that a CA had before. Nobody here can sign another one, but what those keys signed is believed or
 * refused by them until it has ended; so each stays beside the present list, under a name of its own. Pure.
 */

import type { LedgerEntry } from '../ledger/entry.ts'
import { decodePem } from '../pki/encoding/pem.ts'
import { type ParsedRevocationList, parseRevocationList } from '../pki/revocation/revocation-list.ts'
import type { ListKey } from './entries.ts'

export interface FormerList {
  /** Key of the ConfigMap. */
  readonly name: string
  readonly pem: string
  /** Authority key identifier, lower-case hex. */
  readonly keyId: string
  /** Not verified. */
  readonly list: ParsedRevocationList
}

const namePattern = /^former-[0-9a-f]{1,40}\.crl$/

/** Enough of the key identifier that two keys of one CA have different names. */
const nameOf = (keyId: string): string => `former-${keyId.slice(0, 40)}.crl`

/** Of the list in a PEM, where it says which key has signed it. */
export const formerList = (pem: string, list = listIn(pem)): FormerList | undefined => {
  const keyId = Buffer.from(list?.authorityKeyId ?? []).toString('hex')
  return list === undefined || keyId === '' ? undefined : { name: nameOf(keyId), pem, keyId, list }
}

/** When the last certificate ends that the key has signed, ms; undefined where none is left. */
export const lastEnd = (ledger: readonly LedgerEntry[], { keyId }: ListKey, now: number): number | undefined => {
  const ends = ledger.flatMap(({ isCa, notAfter, authorityKeyId }) =>
    !isCa && authorityKeyId === keyId && notAfter > now ? [notAfter] : [],
  )
  return ends.length === 0 ? undefined : ends.reduce((last, end) => Math.max(last, end))
}

/** Those that were put aside before. */
export const formerLists = (data: Readonly<Record<string, string>>): FormerList[] =>
  Object.entries(data).flatMap(([name, pem]) => {
    const found = namePattern.test(name) ? formerList(pem) : undefined
    return found?.name === name ? [found] : []
  })

/** Those that something which has not ended still hangs on; `present`: the keys whose lists are signed now. */
export const stillNeeded = (
  former: readonly FormerList[],
  ledger: readonly LedgerEntry[],
  present: readonly ListKey[],
  now: number,
): FormerList[] => {
  const alive = new Set(
    ledger.filter(({ isCa, notAfter }) => !isCa && notAfter > now).map((entry) => entry.authorityKeyId),
  )
  const byName = new Map(former.map((list) => [list.name, list]))
  return [...byName.values()].filter(({ keyId }) => present.every((key) => key.keyId !== keyId) && alive.has(keyId))
}

/** What cannot be read is not a list; the next one takes its place. */
export const listIn = (pem: string): ParsedRevocationList | undefined => {
  try {
    const [block] = decodePem(pem)
    return block?.label === 'X509 CRL' ? parseRevocationList(block.der) : undefined
  } catch {
    return undefined
  }
}
