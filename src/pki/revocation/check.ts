/**
 * The check of a finished revocation list against its plan: @peculiar/x509, which shares no code with the writer, reads
 * it, and OpenSSL (through node:crypto) verifies the signature.
 */

// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs it to be loaded first
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import type { KeyObject } from 'node:crypto'
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { children, concat, type Element, readOnly, sequence, Tag } from '../encoding/der.ts'
import { equal } from '../certificates/parse.ts'
import { parseRevocationList, readSigned, revocationExtensionIds, revocationListVerifies } from './parse.ts'
import type { RevocationListPlan, RevokedEntry } from './plan.ts'
import { reasonCode } from './reason.ts'

/** Opens the decoded structure. */
class Structure extends x509.X509Crl {
  get fields() {
    return this.asn
  }
}

type List = Structure['fields']['tbsCertList']
type Entry = NonNullable<List['revokedCertificates']>[number]
type Extension = NonNullable<Entry['crlEntryExtensions']>[number]

type Expect = (same: boolean, what: string) => void

/** One sentence for each difference; none means that the list is what was planned, and signed by the key. */
export const differencesFromRevocationPlan = async (
  der: Uint8Array,
  plan: RevocationListPlan,
  issuer: KeyObject,
): Promise<string[]> => {
  const differences = new Set<string>()
  const expect = (same: boolean, what: string): void => {
    if (!same) differences.add(`The ${what} of the finished list is not what was planned.`)
  }
  try {
    await compareContents(der, plan, expect)
    expect(revocationListVerifies(readSigned(der), issuer), 'signature')
  } catch (error) {
    differences.add(`The finished list cannot be read back: ${error instanceof Error ? error.message : 'unknown'}.`)
  }
  return [...differences]
}

const compareContents = async (der: Uint8Array, plan: RevocationListPlan, expect: Expect): Promise<void> => {
  const wanted = new Map(plan.revoked.map((entry) => [entry.serialNumber.padStart(40, '0'), entry]))
  let previous = ''
  await letOthersRun()
  for (const part of partsOf(der)) {
    await letOthersRun()
    expect(equal(parseRevocationList(part).issuer, plan.issuer), 'issuer')
    const list = new Structure(part).fields.tbsCertList
    compareOutline(list, plan, expect)
    for (const found of list.revokedCertificates ?? []) {
      const serial = hexOf(found.userCertificate).padStart(40, '0').slice(-40)
      expect(serial > previous, 'order of entries')
      expect(entryText(found) === textOf(wanted.get(serial)), 'revocation of a certificate')
      wanted.delete(serial)
      previous = serial
    }
  }
  await letOthersRun()
  expect(wanted.size === 0, 'set of entries')
}

const compareOutline = (list: List, plan: RevocationListPlan, expect: Expect): void => {
  expect(Number(list.version) === 1, 'version')
  expect(instantOf(list.thisUpdate) === wholeSeconds(plan.thisUpdate), 'time of issue')
  expect(list.nextUpdate !== undefined && instantOf(list.nextUpdate) === wholeSeconds(plan.nextUpdate), 'next update')
  expect((list.revokedCertificates === undefined) === (plan.revoked.length === 0), 'presence of entries')
  const number = plan.number.toString(16).toUpperCase()
  const octets = number.length % 2 === 0 ? number : `0${number}`
  const integer = octets >= '8' ? `00${octets}` : octets
  const keyId = hexOf(plan.authorityKeyId)
  expect(
    extensionsText(list.crlExtensions) ===
      [
        `${revocationExtensionIds.authorityKeyId}=30${octet(keyId.length / 2 + 2)}80${octet(keyId.length / 2)}${keyId}`,
        `${revocationExtensionIds.number}=02${octet(integer.length / 2)}${integer}`,
      ].join(),
    'set of extensions',
  )
}

/** What an entry should say, in the words of entryText; the encodings are spelt out, since the writer is what is checked. */
const textOf = (entry: RevokedEntry | undefined): string | undefined => {
  if (entry === undefined) return undefined
  const { revokedAt, reason = 'unspecified', invalidityTime } = entry
  const extensions: string[] = []
  if (reason !== 'unspecified')
    extensions.push(`${revocationExtensionIds.reasonCode}=0A01${octet(reasonCode(reason) ?? 0)}`)
  if (invalidityTime !== undefined) {
    const iso = new Date(wholeSeconds(invalidityTime)).toISOString()
    const generalized = `${iso.slice(0, 19).replaceAll(/\D/g, '')}Z`
    extensions.push(`${revocationExtensionIds.invalidityDate}=180F${hexOf(Buffer.from(generalized))}`)
  }
  return `${wholeSeconds(revokedAt)} ${extensions.join()}`
}

const entryText = ({ revocationDate, crlEntryExtensions }: Entry): string =>
  `${instantOf(revocationDate)} ${extensionsText(crlEntryExtensions)}`

const extensionsText = (extensions: readonly Extension[] = []): string =>
  extensions
    .map(({ extnID, critical, extnValue }) => `${extnID}=${critical ? 'critical ' : ''}${hexOf(extnValue.buffer)}`)
    .join()

const hexOf = (bytes: ArrayBuffer | Uint8Array): string =>
  Buffer.from(new Uint8Array(bytes)).toString('hex').toUpperCase()

const octet = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0')

const wholeSeconds = (instant: number): number => Math.floor(instant / 1000) * 1000

const instantOf = ({ utcTime, generalTime }: Entry['revocationDate']): number | undefined =>
  (utcTime ?? generalTime)?.getTime()

/** Some milliseconds of work for @peculiar/x509. */
const piece = 25

/**
 * The list itself where it is short; else lists that are the same but for holding some of its entries each, because the
 * whole would take @peculiar/x509 half a second at one go.
 */
function* partsOf(der: Uint8Array): Generator<Uint8Array> {
  const [tbs, ...signature] = children(readOnly(der, Tag.sequence))
  const fields = tbs === undefined ? [] : children(tbs)
  // After version, algorithm, issuer and two times; the extensions, which come next, have another tag.
  const entries = fields[5]?.tag === Tag.sequence ? children(fields[5]) : []
  if (entries.length <= piece) {
    yield der
    return
  }
  const bytes = (elements: readonly Element[]): Uint8Array => concat(elements.map(({ encoded }) => encoded))
  for (let from = 0; from < entries.length; from += piece) {
    const some = sequence(bytes(entries.slice(from, from + piece)))
    yield sequence(sequence(bytes(fields.slice(0, 5)), some, bytes(fields.slice(6))), bytes(signature))
  }
}
