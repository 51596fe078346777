/**
 * Issues certificate revocation lists (RFC 5280 §5): a plan is judged, encoded, signed, and read back by other parsers
 * before anybody gets the bytes. Long lists are worked on in pieces, with the event loop let go between them.
 */

import { setImmediate as letOthersRun } from 'node:timers/promises'
import {
  bitString,
  concat,
  contextConstructed,
  contextPrimitive,
  generalizedTime,
  integer,
  octetString,
  oid,
  sequence,
  Tag,
  time,
  tlv,
  unsignedInteger,
} from '../encoding/der.ts'
import { equal } from '../certificates/parse.ts'
import { differencesFromRevocationPlan } from './check.ts'
import { maxOctets, revocationExtensionIds, RevocationListError } from './parse.ts'
import type { RevocationListPlan, RevokedEntry } from './plan.ts'
import { reasonCode } from './reason.ts'
import type { Signer } from '../certificates/signer.ts'

export { type ParsedRevocationList, parseRevocationList, RevocationListError, revocationListVerifies } from './parse.ts'
export type { RevocationListPlan, RevokedEntry } from './plan.ts'
export type { RevocationReason } from './reason.ts'

/** DER CertificateList. Rejects with RevocationListError; then nothing was returned that could be published. */
export const issueRevocationList = async (signer: Signer, plan: RevocationListPlan): Promise<Uint8Array> => {
  const problems = revocationPlanProblems(plan, signer)
  if (problems.length > 0) throw notIssued(problems)
  await letOthersRun()
  const entries = await encodeEntries(bySerialNumber(plan.revoked))
  const tbs = encodeTbs(plan, entries, signer.signatureAlgorithm)
  const der = sequence(tbs, signer.signatureAlgorithm, bitString(await signer.sign(tbs)))
  if (der.length > maxOctets)
    throw notIssued([`It would have ${der.length} bytes; at most ${maxOctets} are published. Prune the ledger.`])
  const differences = await differencesFromRevocationPlan(der, plan, signer.publicKey)
  if (differences.length > 0) throw notIssued(differences)
  return der
}

const notIssued = (problems: readonly string[]): RevocationListError =>
  new RevocationListError(`The revocation list was not issued. ${problems.join(' ')}`)

/** One sentence for each rule that the plan breaks; none means that the signer may sign it. */
export const revocationPlanProblems = (plan: RevocationListPlan, signer: Signer): string[] => {
  const problems: string[] = []
  const rule = (kept: boolean, problem: string): void => {
    if (!kept) problems.push(problem)
  }
  rule(
    signer.mayIssueRevocationLists,
    'The CA certificate does not have the key usage cRLSign, so no revocation list of it would be believed.',
  )
  rule(equal(plan.issuer, signer.subject), "The issuer is not, byte for byte, the CA's subject.")
  rule(
    equal(plan.authorityKeyId, signer.subjectKeyId),
    "The authority key identifier is not the CA's subject key identifier.",
  )
  rule(plan.nextUpdate - plan.thisUpdate >= 1000, 'The list would end before it begins.')
  rule(plan.thisUpdate <= signer.notAfter, 'The CA has expired: it cannot sign any more.')
  rule(plan.thisUpdate >= signer.notBefore, 'The CA is not valid yet: it cannot sign before its notBefore.')
  rule([plan.thisUpdate, plan.nextUpdate].every(isWritable), 'The times of the list are not of the years 1000 to 9999.')
  rule(plan.number >= 0n && plan.number < 1n << 159n, 'The number of the list is not one of 0 to 20 octets.')
  return [...problems, ...entryProblems(plan.revoked)]
}

const lastInstant = Date.UTC(9999, 11, 31, 23, 59, 59)
const isWritable = (instant: number): boolean =>
  Number.isSafeInteger(Math.floor(instant)) && instant >= Date.UTC(1000, 0) && instant <= lastInstant

/** The first few, since they are for people. */
const entryProblems = (revoked: readonly RevokedEntry[]): string[] => {
  const problems: string[] = []
  const seen = new Set<string>()
  for (const { serialNumber, revokedAt, reason, invalidityTime } of revoked) {
    const key = padded(serialNumber)
    if (!/^[0-9A-F]{1,40}$/.test(serialNumber))
      problems.push(
        `The serial number ${JSON.stringify(serialNumber.slice(0, 50))} is not upper-case hex of 20 octets.`,
      )
    else if (seen.has(key)) problems.push(`The serial number ${serialNumber} is listed twice.`)
    if (!isWritable(revokedAt) || (invalidityTime !== undefined && !isWritable(invalidityTime)))
      problems.push(`A time of the revocation of ${serialNumber.slice(0, 50)} is not one of the years 1000 to 9999.`)
    if (reason !== undefined && reasonCode(reason) === undefined)
      problems.push(`The reason of the revocation of ${serialNumber.slice(0, 50)} is not one that a CA may give.`)
    if (problems.length >= 5) return problems
    seen.add(key)
  }
  return problems
}

/** 20 octets: as text they are ordered as the numbers are. */
const padded = (serialNumber: string): string => serialNumber.padStart(40, '0')

/** By value, as `openssl ca -gencrl` does: lists that say the same are the same. */
const bySerialNumber = (revoked: readonly RevokedEntry[]): RevokedEntry[] =>
  revoked
    .map((entry) => ({ key: padded(entry.serialNumber), entry }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ entry }) => entry)

/** Some milliseconds of work. */
const piece = 200

const encodeEntries = async (revoked: readonly RevokedEntry[]): Promise<Uint8Array> => {
  const entries: Uint8Array[] = []
  for (const entry of revoked) {
    if (entries.length % piece === piece - 1) await letOthersRun()
    entries.push(encodeEntry(entry))
  }
  return concat(entries)
}

const encodeEntry = ({ serialNumber, revokedAt, reason, invalidityTime }: RevokedEntry): Uint8Array => {
  const code = reason === undefined ? 0 : (reasonCode(reason) ?? 0)
  const extensions = [
    ...(code === 0 ? [] : [extension(revocationExtensionIds.reasonCode, tlv(Tag.enumerated, Uint8Array.of(code)))]),
    ...(invalidityTime === undefined
      ? []
      : [extension(revocationExtensionIds.invalidityDate, generalizedTime(invalidityTime))]),
  ]
  const serial = unsignedInteger(Buffer.from(padded(serialNumber), 'hex'))
  return sequence(serial, time(revokedAt), ...(extensions.length === 0 ? [] : [sequence(...extensions)]))
}

/** DER TBSCertList, v2 (RFC 5280 §5.1.2): without revokedCertificates where nothing is revoked. */
const encodeTbs = (plan: RevocationListPlan, entries: Uint8Array, signatureAlgorithm: Uint8Array): Uint8Array =>
  sequence(
    integer(1),
    signatureAlgorithm,
    plan.issuer,
    time(plan.thisUpdate),
    time(plan.nextUpdate),
    ...(entries.length === 0 ? [] : [sequence(entries)]),
    contextConstructed(
      0,
      sequence(
        extension(revocationExtensionIds.authorityKeyId, sequence(contextPrimitive(0, plan.authorityKeyId))),
        extension(revocationExtensionIds.number, unsignedInteger(bytesOf(plan.number))),
      ),
    ),
  )

const bytesOf = (number: bigint): Uint8Array => Buffer.from(number.toString(16).padStart(40, '0'), 'hex')

const extension = (id: string, value: Uint8Array): Uint8Array => sequence(oid(id), octetString(value))
