/** `dbtls revoke`: what `openssl ca -revoke` does to index.txt, done to an entry of the ledger. */

import { isConflict, isNotFound } from '../../cluster/errors.ts'
import { fromTimestamp, toTimestamp } from '../../control/schedule.ts'
import { entryName } from '../../ledger/record.ts'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { databaseCertificates } from '../../resources/database-certificate.ts'
import {
  issuedCertificates,
  type IssuedCertificate,
  revocationReasons,
  type RevocationReason,
} from '../../resources/issued-certificate.ts'
import type { Instant } from '../../runtime/clock.ts'
import { CommandError } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { UsageError, wholeNumber } from '../shared/options.ts'
import { writeLine } from '../shared/present.ts'
import { fieldManager } from './renew.ts'
import { untilListed } from './revoke-wait.ts'
import { parseName, targetFlags, targetUsage, targetVerb } from '../shared/target.ts'
import type { Target } from '../shared/target.ts'

const usage = `usage: dbtls revoke SERIAL… --authority [NS/]NAME | --certificate [NS/]NAME  [options]

Revokes certificates: marks their entries in the ledger of a CertificateAuthority. The operator puts them on the
revocation list at once, and issues a certificate that is in use anew.

  --authority [NS/]NAME     the CertificateAuthority that signed
  --certificate [NS/]NAME   what this DatabaseCertificate holds now, instead of serial numbers
  --reason REASON           ${revocationReasons.slice(0, 5).join(', ')},
                            ${revocationReasons.slice(5).join(', ')} (default: unspecified)
  --invalidity-time TIME    since when the key is known or suspected to be in other hands: 2027-01-31 or RFC 3339
  --unhold                  take back a revocation with reason certificateHold (also: --reason removeFromHold)
  --wait                    until the revocation list says so, where the CertificateAuthority makes one
  --timeout SECONDS         of --wait (default: 60)
${targetUsage}  --help                    this text

SERIAL is in hex, as openssl and dbtls ledger list print it; colons and lower case do not matter.

Examples:
  dbtls revoke 4F0C29A1 --authority orders-ca --reason keyCompromise --invalidity-time 2027-01-31
  dbtls revoke 4f:0c:29:a1 --authority data/orders-ca --reason certificateHold --state .dbtls/state
  dbtls revoke 4F0C29A1 --authority data/orders-ca --unhold
  dbtls revoke --certificate data/orders-app --reason keyCompromise --wait

Exit codes: 0 done, 1 it could not be (reason on stderr), 2 wrong usage.
`

const flags = {
  authority: { type: 'string' },
  certificate: { type: 'string' },
  reason: { type: 'string' },
  'invalidity-time': { type: 'string' },
  unhold: { type: 'boolean', default: false },
  wait: { type: 'boolean', default: false },
  timeout: { type: 'string', default: '60' },
  ...targetFlags,
} as const

/** undefined: take the hold away. */
type Wanted = { readonly reason: RevocationReason; readonly invalidityTime?: string } | undefined

type Key = ReturnType<typeof parseName>

export const main = targetVerb('revoke', usage, flags, async (target, values, words, io) => {
  const now = target.clock.now()
  const wanted = wantedOf(values.reason, values.unhold === true, values['invalidity-time'], now)
  const timeoutMs = wholeNumber('timeout', values.timeout, 1, 86_400) * 1000
  const wait = values.wait === true
  if (wait && !target.live)
    throw new UsageError('--wait needs a cluster: on a state folder the next dbtls run or render makes the list')
  const { authority, serials } = await chosen(target, words, values)
  // All are looked at before the first is revoked.
  const entries = await Promise.all(serials.map((serial) => findEntry(target, authority, serial)))
  for (const entry of entries) refuse(entry, wanted, now)
  for (const entry of entries) await write(target, io, entry, wanted, now)
  if (!wait) return 0
  return untilListed(target, io, authority, { entries, revoked: wanted !== undefined, timeoutMs })
})

const wantedOf = (
  reason: string | undefined,
  unhold: boolean,
  invalidityTime: string | undefined,
  now: Instant,
): Wanted => {
  const asked = reason?.toLowerCase()
  if (unhold || asked === 'removefromhold') {
    if (unhold && asked !== undefined && asked !== 'removefromhold')
      throw new UsageError('--unhold takes a revocation back; leave out --reason')
    if (invalidityTime !== undefined)
      throw new UsageError('--invalidity-time goes with a revocation, not with --unhold')
    return undefined
  }
  const known = revocationReasons.find((one) => one.toLowerCase() === (asked ?? 'unspecified'))
  if (known === undefined) throw new UsageError(`--reason is one of ${revocationReasons.join(', ')}, not "${reason}"`)
  return { reason: known, ...(invalidityTime === undefined ? {} : { invalidityTime: past(invalidityTime, now) }) }
}

/** RFC 3339 or a day, as RFC 3339 in whole seconds. */
const past = (text: string, now: Instant): string => {
  const form = /^\d{4}-\d{2}-\d{2}([Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2}))?$/
  const instant = form.test(text) ? fromTimestamp(text) : undefined
  if (instant === undefined)
    throw new UsageError(`--invalidity-time is a day (2027-01-31) or RFC 3339 (2027-01-31T12:00:00Z), not "${text}"`)
  if (instant > now) throw new UsageError('--invalidity-time lies in the future')
  return toTimestamp(instant)
}

/** Upper-case hex with an even number of digits, as the ledger keeps it. */
export const serialOf = (text: string): string => {
  const digits = text.replace(/^0x/i, '').replaceAll(':', '').toUpperCase()
  if (!/^[0-9A-F]{1,40}$/.test(digits)) throw new UsageError(`a serial number is 1 to 40 hex digits, not "${text}"`)
  const even = digits.length % 2 === 0 ? digits : `0${digits}`
  return even.replace(/^(00)+(?=..)/, '')
}

interface Chosen {
  readonly authority: Key
  readonly serials: readonly string[]
}

const chosen = async (
  target: Target,
  words: readonly string[],
  { authority, certificate }: { readonly authority?: string; readonly certificate?: string },
): Promise<Chosen> => {
  if (certificate === undefined) {
    if (words.length === 0) throw new UsageError('name at least one serial number, or a --certificate')
    return { serials: words.map(serialOf), authority: parseName('--authority', authority, target.namespace) }
  }
  if (words.length > 0 || authority !== undefined)
    throw new UsageError('--certificate says it all: leave out serial numbers and --authority')
  return heldBy(target, parseName('--certificate', certificate, target.namespace))
}

/** Rejects with CommandError where it holds nothing. */
const heldBy = async ({ cluster }: Target, key: Key): Promise<Chosen> => {
  const what = `DatabaseCertificate ${key.namespace}/${key.name}`
  const { spec, status } = await cluster.get(databaseCertificates, key).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
    throw new CommandError(`there is no ${what}`, { cause: error })
  })
  if (status?.serialNumber === undefined) throw new CommandError(`${what} holds no certificate yet`)
  const { name, namespace = key.namespace } = spec.authorityRef
  return { serials: [status.serialNumber], authority: { namespace, name } }
}

const described = ({ namespace, name }: Key): string => `CertificateAuthority ${namespace}/${name}`

/** By its name, which follows from authority and serial number, or by its fields where somebody else made it. */
const findEntry = async ({ cluster }: Target, authority: Key, serial: string): Promise<IssuedCertificate> => {
  const belongs = ({ spec }: IssuedCertificate): boolean =>
    spec.authorityRef.name === authority.name && spec.serialNumber === serial
  const { namespace } = authority
  try {
    const entry = await cluster.get(issuedCertificates, { namespace, name: entryName(authority.name, serial) })
    if (belongs(entry)) return entry
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  const { items } = await cluster.list(issuedCertificates, { namespace, fieldSelector: `spec.serialNumber=${serial}` })
  const entry = items.find(belongs)
  if (entry !== undefined) return entry
  const exists = await cluster.get(certificateAuthorities, authority).then(
    () => true,
    (error: unknown) => !isNotFound(error),
  )
  throw new CommandError(
    exists
      ? `serial number ${serial} is not in the ledger of ${described(authority)}`
      : `there is no ${described(authority)}, and no ledger entry of it with serial number ${serial}`,
  )
}

/** @throws CommandError for what openssl ca or RFC 5280 do not let happen either. */
const refuse = ({ spec }: IssuedCertificate, wanted: Wanted, now: Instant): void => {
  const { revocation, serialNumber: serial } = spec
  if (wanted === undefined) {
    if (revocation?.reason === 'certificateHold') return
    throw new CommandError(
      revocation === undefined
        ? `serial number ${serial} is not revoked, so there is no hold to take back`
        : `serial number ${serial} was revoked with reason ${revocation.reason}; only certificateHold can be taken back`,
    )
  }
  if (revocation === undefined) return
  if (revocation.reason === 'certificateHold' && wanted.reason !== 'certificateHold') return
  const when = revocation.time === undefined ? '' : ` at ${toTimestamp(fromTimestamp(revocation.time) ?? now)}`
  throw new CommandError(`Already revoked, serial number ${serial} (${revocation.reason}${when})`)
}

/** A whole object over the version that was judged: a revocation that somebody else made meanwhile is not overwritten. */
const write = async (
  { cluster }: Target,
  io: Io,
  entry: IssuedCertificate,
  wanted: Wanted,
  now: Instant,
): Promise<void> => {
  const { revocation, ...spec } = entry.spec
  const changed: IssuedCertificate = {
    ...entry,
    spec:
      wanted === undefined ? spec : { ...spec, revocation: { ...wanted, time: revocation?.time ?? toTimestamp(now) } },
  }
  try {
    await cluster.update(issuedCertificates, changed, { fieldManager, metadataOnly: true })
  } catch (error) {
    if (!isConflict(error)) throw error
    throw new CommandError(`serial number ${spec.serialNumber} was changed meanwhile; look at it and try again`, {
      cause: error,
    })
  }
  const what = wanted === undefined ? 'released  ' : 'revoked   '
  const { certificateRef: holder } = spec
  const whose = holder === undefined ? '' : ` (${holder.namespace}/${holder.name})`
  writeLine(io, `${what} ${spec.serialNumber}${whose}${wanted === undefined ? '' : `: ${wanted.reason}`}`)
}
