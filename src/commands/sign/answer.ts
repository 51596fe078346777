/** What `dbtls sign` says: the certificate, what it would be, or why there is none. */

import { formatDistinguishedName } from '../../pki/names/names.ts'
import type { ParsedCertificate } from '../../pki/certificates/parse.ts'
import type { GeneralName } from '../../pki/plan.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import { certificateFacts, publicKeyFacts } from '../inspect/facts.ts'
import { named, type Key } from '../ledger/entries.ts'
import { CommandError } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { type OutputForm, writeLine, writeProblem, writeValue } from '../shared/present.ts'
import { timeInWords } from '../../control/times.ts'
import type { ReservedFile } from './output.ts'
import { type Asked, inWordsOfTheVerb } from './request.ts'
import type { Admissible, Refused, Signed } from './verdict.ts'

export interface Delivery {
  readonly authority: Key
  readonly form: OutputForm
  /** With the CAs above it. */
  readonly chain: boolean
  readonly out: { readonly path: string; readonly file: ReservedFile } | undefined
  readonly now: number
}

/** The exit code. */
export const tellRefused = (io: Io, asked: Asked, { refusals }: Refused, { authority, form }: Delivery): number => {
  const reasons = refusals.map(({ reason, message }) => ({ reason, message: inWordsOfTheVerb(message, asked) }))
  if (form !== 'table') writeValue(io, form, { state: 'refused', authority, reasons })
  for (const { reason, message } of reasons) writeProblem(io, `refused    ${reason}: ${message}`)
  return 1
}

export const tellSignable = (io: Io, signed: Signed, { authority, form, now }: Delivery): void => {
  const { certificate, supersedes } = signed
  // They are drawn anew when it is signed.
  const { serialNumber: _serial, fingerprint: _fingerprint, ...facts } = certificateFacts(certificate)
  const { caIssuers } = certificate
  if (form !== 'table')
    return writeValue(io, form, {
      state: 'signable',
      authority,
      certificate: { ...facts, caIssuers },
      ...(supersedes === undefined ? {} : { supersedes }),
    })
  writeLine(io, `would be signed by ${named(authority)}:`)
  writeFields(io, [
    ['Subject', facts.subject === '' ? '(empty)' : facts.subject],
    ['Issuer', facts.issuer],
    ['Names', namesInWords(facts.names)],
    ['Valid', `${facts.notBefore} to ${timeInWords(certificate.notAfter, now)}`],
    ['Public key', facts.publicKey],
    ['Usage', facts.usages.join(', ')],
    ['Revocation list', facts.revocationLists.join(', ')],
    ['CA certificate', caIssuers.join(', ')],
    ['Replaces', supersedes],
  ])
}

export const tellAdmissible = (io: Io, { wanted, holder }: Admissible, { authority, form }: Delivery): void => {
  const { keyUsage, extendedKeyUsage, request } = wanted
  const facts = {
    subject: formatDistinguishedName(wanted.subject),
    names: wanted.names,
    ...publicKeyFacts(request?.spki ?? new Uint8Array()),
    usages: [...keyUsage, ...extendedKeyUsage],
  }
  if (form !== 'table')
    return writeValue(io, form, { state: 'admissible', authority, certificate: facts, keptBy: holder })
  writeLine(io, `${named(authority)} would be asked through DatabaseCertificate ${holder.namespace}/${holder.name}:`)
  writeFields(io, [
    ['Subject', facts.subject === '' ? '(empty)' : facts.subject],
    ['Names', namesInWords(facts.names)],
    ['Public key', facts.publicKey],
    ['Usage', facts.usages.join(', ')],
  ])
  writeLine(io, 'Nothing is against it that can be seen from here; the operator judges it with the CA and the ledger.')
}

const namesInWords = (names: readonly GeneralName[]): string =>
  names.length === 0 ? '(none)' : names.map(({ type, value }) => `${type}:${value}`).join(', ')

const writeFields = (io: Io, lines: readonly (readonly [string, string | undefined])[]): void => {
  for (const [label, text] of lines)
    if (text !== undefined && text !== '') writeLine(io, `  ${`${label}:`.padEnd(16)} ${text}`)
}

/** Rejects with CommandError where the file cannot be written after all; the certificate is in the ledger then. */
export const deliverSigned = async (io: Io, signed: Signed, delivery: Delivery): Promise<void> => {
  const { certificate, chain, supersedes, holder } = signed
  const { authority, form, out } = delivery
  const above = chain.map((der) => encodePem('CERTIFICATE', der))
  const own = encodePem('CERTIFICATE', certificate.der)
  const text = [own, ...(delivery.chain ? above : [])].join('')
  if (out !== undefined) await write(out, text, certificate, authority)
  if (form !== 'table')
    return writeValue(io, form, {
      state: 'signed',
      authority,
      certificate: certificateFacts(certificate),
      ...(supersedes === undefined ? {} : { supersedes }),
      ...(holder === undefined ? {} : { keptBy: holder }),
      pem: own,
      chain: above,
    })
  // Without a file stdout is the certificate alone, for a pipe.
  if (out === undefined) io.stdout.write(text)
  const tell = out === undefined ? writeProblem : writeLine
  const where = out === undefined ? '' : ` to ${out.path}`
  const subject = formatDistinguishedName(certificate.subject)
  tell(
    io,
    `signed     ${certificate.serialNumber} "${subject}"${where}, valid until ${untilOf(certificate, delivery.now)}`,
  )
  if (supersedes !== undefined) tell(io, `replaces   ${supersedes}`)
  if (holder !== undefined)
    tell(
      io,
      `kept by    DatabaseCertificate ${holder.namespace}/${holder.name}, which has it signed again at each renewal`,
    )
}

const untilOf = ({ notAfter }: ParsedCertificate, now: number): string => timeInWords(notAfter, now)

const write = async (
  { path, file }: NonNullable<Delivery['out']>,
  text: string,
  { serialNumber }: ParsedCertificate,
  { namespace, name }: Key,
): Promise<void> => {
  try {
    await file.write(text)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    throw new CommandError(
      `${error.message}; the certificate is signed and in the ledger: dbtls ledger show ${serialNumber} --authority ${namespace}/${name} (not written: ${path})`,
      { cause: error },
    )
  }
}
