/** `dbtls ledger show`: one certificate of the ledger, in the words of `openssl x509 -text` that matter, and its state. */

import { fromTimestamp } from '../../control/schedule.ts'
import { algorithmOfSpki } from '../../pki/keys/keys.ts'
import { formatDistinguishedName } from '../../pki/names/names.ts'
import type { GeneralName } from '../../pki/plan.ts'
import { describeEntry, type Entry, named, readAuthority, readLedger } from './entries.ts'
import { CommandError } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { UsageError } from '../shared/options.ts'
import { outputFlags, outputForm, outputUsage, writeValue, writeLine } from '../shared/present.ts'
import { serialOf } from '../objects/revoke.ts'
import {
  allNamespacesFlag,
  allNamespacesUsage,
  parseName,
  targetFlags,
  targetUsage,
  targetVerb,
} from '../shared/target.ts'
import { timeInWords } from '../../control/times.ts'

const usage = `usage: dbtls ledger show SERIAL [options]

One certificate of the ledger: what it says, for whom it was signed, whether it is revoked, and the certificate itself.

  --authority [NS/]NAME     of this CertificateAuthority; needed only where two have signed under one serial number
${targetUsage}${allNamespacesUsage}${outputUsage}  --help                    this text

SERIAL is in hex, as openssl and dbtls ledger list print it; colons and lower case do not matter.

Examples:
  dbtls ledger show 4F0C29A1 --authority data/orders-ca
  dbtls ledger show 4f:0c:29:a1 --state .dbtls/state -n data | openssl x509 -noout -text

Exit codes: 0 done, 1 it is not in the ledger (reason on stderr), 2 wrong usage.
`

const flags = { authority: { type: 'string' }, ...targetFlags, ...allNamespacesFlag, ...outputFlags } as const

export const main = targetVerb('ledger show', usage, flags, async (target, values, words, io) => {
  const form = outputForm(values.output)
  const [word, ...more] = words
  if (word === undefined || more.length > 0) throw new UsageError('name one serial number')
  const serialNumber = serialOf(word)
  const authority =
    values.authority === undefined ? undefined : parseName('--authority', values.authority, target.namespace)
  const found = await readLedger(target, { authority, serialNumber })
  const [entry, ...others] = found
  if (entry === undefined) {
    if (authority !== undefined) await readAuthority(target, authority)
    const where = authority === undefined ? `namespace ${target.scope ?? '*'}` : named(authority)
    throw new CommandError(`serial number ${serialNumber} is not in the ledger of ${where}`)
  }
  if (others.length > 0) {
    const whose = found.map(({ metadata, spec }) => `${metadata.namespace}/${spec.authorityRef.name}`).join(', ')
    throw new CommandError(`serial number ${serialNumber} was signed by ${whose}: name one with --authority`)
  }
  const now = target.clock.now()
  const described = describeEntry(entry, now)
  if (form !== 'table') writeValue(io, form, { ...described.facts, certificate: entry.spec.certificate })
  else show(io, described, now)
  return 0
})

const show = (io: Io, { certificate, entry, facts }: Entry, now: number): void => {
  const { metadata, spec } = entry
  const lines: (readonly [string, string | undefined])[] = [
    ['Serial number', facts.serialNumber],
    ['State', stateInWords(facts, now)],
    ['Subject', facts.subject],
    ['Authority', `${facts.namespace}/${facts.authority}`],
    ['Issued for', facts.issuedFor && `${facts.issuedFor.namespace}/${facts.issuedFor.name}`],
    ['Takes the place of', facts.supersedes],
    ['Request', spec.request === undefined ? undefined : 'kept, to be signed again'],
    ['Ledger entry', `IssuedCertificate ${metadata.namespace}/${metadata.name}`],
  ]
  if (certificate === undefined) {
    lines.push(['Valid until', inWords(facts.notAfter, now)])
    lines.push([
      'Certificate',
      spec.indexLine === undefined
        ? 'cannot be read'
        : 'not known: the folder that was taken over did not have it; its serial number and revocation are kept',
    ])
  } else {
    const { keyUsage, extendedKeyUsage, subjectAlternativeNames } = certificate
    lines.push(
      ['Issuer', formatDistinguishedName(certificate.issuer)],
      ['Valid from', timeInWords(certificate.notBefore, now)],
      ['Valid until', timeInWords(certificate.notAfter, now)],
      ['Names', optional(subjectAlternativeNames.map(nameInWords))],
      ['Public key', keyInWords(certificate.spki)],
      ['Usage', optional([...(certificate.isCa ? ['CA'] : []), ...keyUsage, ...extendedKeyUsage])],
      ['SHA-256', certificate.fingerprint],
    )
  }
  for (const [label, text] of lines) if (text !== undefined) writeLine(io, `${`${label}:`.padEnd(20)} ${text}`)
  if (certificate !== undefined) io.stdout.write(`${spec.certificate.trim()}\n`)
}

const stateInWords = ({ state, revocation }: Entry['facts'], now: number): string => {
  if (revocation === undefined) return state
  const at = inWords(revocation.time, now)
  const since = inWords(revocation.invalidityTime, now)
  return `Revoked${at === undefined ? '' : ` at ${at}`}, reason ${revocation.reason}${since === undefined ? '' : `, not to be trusted since ${since}`}`
}

const inWords = (text: string | undefined, now: number): string | undefined => {
  const instant = fromTimestamp(text)
  return instant === undefined ? undefined : timeInWords(instant, now)
}

const optional = (words: readonly string[]): string | undefined => (words.length === 0 ? undefined : words.join(', '))

const nameInWords = ({ type, value }: GeneralName): string => `${type}:${value}`

const keyInWords = (spki: Uint8Array): string => {
  const algorithm = algorithmOfSpki(spki)
  if (algorithm === undefined) return 'of a kind that dbtls does not sign'
  return algorithm.algorithm === 'Ed25519' ? 'Ed25519' : `${algorithm.algorithm} ${algorithm.size}`
}
