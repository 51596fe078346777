/**
 * `index.txt`, the database of `openssl ca`: one line a certificate, six fields between TABs (openssl 3.0, apps/ca.c and
 * crypto/txt_db/txt_db.c). Pure.
 */

import { DerError, readElement, readTime, Tag, time } from '../../pki/encoding/der.ts'
import type { RevocationReason } from '../../resources/issued-certificate.ts'

export type IndexState = 'V' | 'R' | 'E'

export interface IndexLine {
  readonly state: IndexState
  /** ms */
  readonly notAfter: number
  /** Third field as it stands: empty but for R. */
  readonly revocation: string
  /** Upper-case hex with an even number of digits. */
  readonly serialNumber: string
  /** Always `unknown` where openssl wrote it; kept, never opened. */
  readonly file: string
  /** One-line form (one-line.ts). */
  readonly subject: string
}

export interface Revocation {
  /** ms, whole seconds */
  readonly time: number
  readonly reason: RevocationReason
  /** ms, whole seconds: since when the key is not to be trusted. */
  readonly invalidityTime?: number
}

/** Says in a clause what is wrong with a line, a field or a file. */
export class IndexError extends Error {
  override readonly name = 'IndexError'
}

export const maxSerialOctets = 20

/** With an LF at the end of each line, in the order given. */
export const formatIndex = (lines: readonly IndexLine[]): string =>
  lines.map((line) => `${formatLine(line)}\n`).join('')

const formatLine = ({ state, notAfter, revocation, serialNumber, file, subject }: IndexLine): string =>
  [state, formatTime(notAfter), revocation, serialNumber, file, subject]
    .map((field) => field.replaceAll('\t', '\\\t'))
    .join('\t')

/** `yymmddHHMMSSZ` through 2049, `yyyymmddHHMMSSZ` from 2050. */
export const formatTime = (instant: number): string =>
  Buffer.from(readElement(time(instant)).contents).toString('latin1')

export const formatGeneralizedTime = (instant: number): string =>
  `${new Date(Math.floor(instant / 1000) * 1000).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`

/** Either form. Throws IndexError. */
export const parseTime = (text: string): number => {
  const tag = text.length === 13 ? Tag.utcTime : Tag.generalizedTime
  const contents = Buffer.from(text, 'latin1')
  try {
    return readTime({ tag, contents, encoded: contents })
  } catch (error) {
    if (error instanceof DerError) throw new IndexError(`"${shown(text)}" is not a time as openssl writes it`)
    throw error
  }
}

export interface NumberedLine {
  /** From 1. */
  readonly number: number
  readonly line: IndexLine
}

export interface LineProblem {
  readonly number: number
  readonly problem: string
}

/**
 * Every line of the text, good or bad. Comments (`#`) are passed over as openssl does; blank lines, a byte order mark and
 * CRLF, which openssl would stumble over, as well.
 */
export const parseIndex = (text: string): { readonly lines: NumberedLine[]; readonly problems: LineProblem[] } => {
  const lines: NumberedLine[] = []
  const problems: LineProblem[] = []
  const first = new Map<string, number>()
  for (const [at, raw] of text
    .replace(/^(\uFEFF|\u00EF\u00BB\u00BF)/, '')
    .split('\n')
    .entries()) {
    const number = at + 1
    const content = raw.replace(/\r$/, '')
    if (content === '' || content.startsWith('#')) continue
    try {
      const line = parseLine(content)
      const before = first.get(line.serialNumber)
      if (before !== undefined) throw new IndexError(`serial number ${line.serialNumber} stands in line ${before}, too`)
      first.set(line.serialNumber, number)
      lines.push({ number, line })
    } catch (error) {
      if (!(error instanceof IndexError)) throw error
      problems.push({ number, problem: error.message })
    }
  }
  return { lines, problems }
}

const maxLine = 16 * 1024

/** Throws IndexError. */
export const parseLine = (content: string): IndexLine => {
  if (content.length > maxLine) throw new IndexError(`it has ${content.length} characters; at most ${maxLine} are read`)
  const fields = fieldsOf(content)
  if (fields.length !== 6) throw new IndexError(`it has ${fields.length} fields between TABs, not 6`)
  const [state = '', notAfter = '', revocation = '', serialNumber = '', file = '', subject = ''] = fields
  if (!isState(state)) throw new IndexError(`its first field is "${shown(state)}", not V, R or E`)
  if (state === 'R') parseRevocation(revocation)
  else if (revocation !== '') throw new IndexError(`its state is ${state}, and yet it has a revocation date`)
  return { state, notAfter: parseTime(notAfter), revocation, serialNumber: parseSerial(serialNumber), file, subject }
}

/** A TAB within a field has a backslash before it. */
const fieldsOf = (content: string): string[] =>
  content.split(/(?<!\\)\t/).map((field) => field.replaceAll('\\\t', '\t'))

const isState = (text: string): text is IndexState => text === 'V' || text === 'R' || text === 'E'

/** Upper-case hex with an even number of digits and no more than there must be. Throws IndexError. */
export const parseSerial = (text: string): string => {
  if (text.startsWith('-')) throw new IndexError(`its serial number ${shown(text)} is negative`)
  if (!/^([0-9A-Fa-f]{2})+$/.test(text))
    throw new IndexError(`its serial number "${shown(text)}" is not hex with an even number of digits`)
  if (text.length > 2 * maxSerialOctets)
    throw new IndexError(`its serial number has ${text.length / 2} octets; at most ${maxSerialOctets} are allowed`)
  return text.replace(/^(00)+(?=..)/, '').toUpperCase()
}

const shown = (text: string): string => {
  // oxlint-disable-next-line no-control-regex -- they are what must not reach a terminal
  const plain = text.replace(/[^\x20-\x7e]/g, '?')
  return plain.length > 40 ? `${plain.slice(0, 40)}…` : plain
}

/** openssl compares without case; these are the words it writes. Absent: reasons that it does not know, and stops at. */
const words: Readonly<Partial<Record<RevocationReason, string>>> = {
  keyCompromise: 'keyCompromise',
  cACompromise: 'CACompromise',
  affiliationChanged: 'affiliationChanged',
  superseded: 'superseded',
  cessationOfOperation: 'cessationOfOperation',
  certificateHold: 'certificateHold',
}

const reasonOf = new Map<string, RevocationReason>([
  ['unspecified', 'unspecified'],
  ...Object.entries(words).map(([reason, word]): [string, RevocationReason] => [
    word.toLowerCase(),
    reason as RevocationReason,
  ]),
  ['holdinstruction', 'certificateHold'],
  // A complete list cannot say that a hold has ended (RFC 5280 §5.3.1): it is kept as one, which a person may take back.
  ['removefromcrl', 'certificateHold'],
  ['keytime', 'keyCompromise'],
  ['cakeytime', 'cACompromise'],
])

/**
 * Third field of a revoked line. openssl has no word for privilegeWithdrawn and aACompromise (and refuses a database that
 * names them), and none for an invalidity time but of a compromise: these are left out.
 */
export const formatRevocation = ({ time: at, reason, invalidityTime }: Revocation): string => {
  const date = formatTime(at)
  if (invalidityTime !== undefined && reason === 'keyCompromise')
    return `${date},keyTime,${formatGeneralizedTime(invalidityTime)}`
  if (invalidityTime !== undefined && reason === 'cACompromise')
    return `${date},CAkeyTime,${formatGeneralizedTime(invalidityTime)}`
  const word = words[reason]
  return word === undefined ? date : `${date},${word}`
}

/** What `formatRevocation` cannot say, in words; undefined where nothing is lost. */
export const lostInFormat = (revocation: Revocation): string | undefined => {
  const { reason, invalidityTime } = revocation
  if (reason !== 'unspecified' && words[reason] === undefined) return `openssl knows no reason ${reason}`
  if (invalidityTime !== undefined && reason !== 'keyCompromise' && reason !== 'cACompromise')
    return `openssl keeps no invalidity time beside the reason ${reason}`
  return undefined
}

/** Throws IndexError. */
export const parseRevocation = (field: string): Revocation => {
  const [date = '', word, argument] = field.split(',')
  if (date === '') throw new IndexError('its state is R, and yet it has no revocation date')
  const at = parseTime(date)
  if (word === undefined) return { time: at, reason: 'unspecified' }
  const reason = reasonOf.get(word.toLowerCase())
  if (reason === undefined) throw new IndexError(`its revocation reason "${shown(word)}" is none that openssl knows`)
  if (!/^(ca)?keytime$/i.test(word)) return { time: at, reason }
  if (argument === undefined) throw new IndexError(`its revocation reason ${word} has no time`)
  return { time: at, reason, invalidityTime: parseTime(argument) }
}
