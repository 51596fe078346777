/** `dbtls inspect`: what a Secret or a file holds, in words. No key and no password is ever printed. */

import { fromTimestamp } from '../../control/schedule.ts'
import type { GeneralName } from '../../pki/plan.ts'
import type { Instant } from '../../runtime/clock.ts'
import { type Content, type Part, readPart } from './contents.ts'
import type { CertificateFacts } from './facts.ts'
import { passwordParts, type Source, sourceUsage, withSources } from './source.ts'
import type { Io, Main } from '../shared/io.ts'
import { parseArguments, UsageError } from '../shared/options.ts'
import { readPassphrase } from '../shared/passphrase.ts'
import { outputFlags, outputForm, outputUsage, writeValue, writeLine, writeProblem } from '../shared/present.ts'
import { targetFlags, targetUsage } from '../shared/target.ts'
import { timeInWords } from '../../control/times.ts'

const usage = `usage: dbtls inspect SECRET|FILE… [options]

What Secrets and files hold, in words: certificates, private keys, requests, revocation lists, keystores; PEM, DER, PKCS#7,
PKCS#12 and JKS, each found by what it is and not by its name. Keys and passwords themselves are never printed.

${sourceUsage}
  --password-file FILE      opens keystores and encrypted keys; tried after the passwords that the Secret itself holds
${targetUsage}${outputUsage}  --help                    this text

Examples:
  dbtls inspect data/orders-tls
  dbtls inspect server.pem keystore.p12 --password-file password.txt
  dbtls inspect orders-tls --state .dbtls/state -n data --output json

Exit codes: 0 done, 1 something is not there or cannot be read (each with its reason on stderr), 2 wrong usage.
`

const flags = { 'password-file': { type: 'string' }, ...targetFlags, ...outputFlags } as const

interface Inspected {
  readonly source: string
  readonly parts: readonly Part[]
}

export const main: Main = async (args, io) => {
  const parsed = parseArguments('inspect', usage, flags, args, io)
  if (typeof parsed === 'number') return parsed
  const { values, words } = parsed
  return withSources('inspect', words, values, io, async ({ now, read }) => {
    const form = outputForm(values.output)
    if (words.length === 0) throw new UsageError('name a Secret or a file')
    const given = await givenPassword(io, values['password-file'])
    const found: Inspected[] = []
    for (const word of words) found.push(await inspect(await read(word), given))
    if (form !== 'table') writeValue(io, form, { items: found })
    else for (const [at, one] of found.entries()) show(io, one, now, at > 0)
    return tellProblems(io, found) ? 1 : 0
  })
}

/** The password of --password-file, if there is one. */
export const givenPassword = async (io: Io, file: string | undefined): Promise<string[]> =>
  file === undefined ? [] : [await readPassphrase(io, { file, flag: 'password-file', prompt: 'Password' })]

export const inspect = async ({ title, parts, passwords }: Source, given: readonly string[]): Promise<Inspected> => {
  const own = passwordParts(parts)
  const candidates = [...new Set([...own.values(), ...passwords, ...given])]
  const read: Part[] = []
  for (const [name, bytes] of parts) read.push(await readPart(name, bytes, own.has(name) ? [] : candidates))
  const holders = new Map<string, string>()
  for (const { name, form, contents } of read)
    for (const one of contents)
      if (one.type === 'certificate' && !holders.has(one.publicKeyHash) && !isStore(form))
        holders.set(one.publicKeyHash, name)
  return {
    source: title,
    parts: read.map((part) => ({
      ...part,
      form: own.has(part.name) && /pass|pwd/i.test(part.name) ? 'password' : part.form,
      contents: part.contents.map((content) => withHolder(content, part, holders)),
    })),
  }
}

const isStore = (form: Part['form']): boolean => form === 'JKS' || form === 'PKCS#12'

/** A key belongs to a certificate of its own keystore first. */
const withHolder = (content: Content, { name, contents }: Part, holders: ReadonlyMap<string, string>): Content => {
  if (content.type !== 'privateKey') return content
  const here = contents.some((one) => one.type === 'certificate' && one.publicKeyHash === content.publicKeyHash)
  const certificateIn = here ? name : holders.get(content.publicKeyHash)
  return certificateIn === undefined ? content : { ...content, certificateIn }
}

const tellProblems = (io: Io, found: readonly Inspected[]): boolean => {
  let any = false
  for (const { source, parts } of found)
    for (const { name, contents } of parts)
      for (const content of contents)
        if (content.type === 'unreadable') {
          any = true
          writeProblem(io, `${where(source, name)}: ${content.what}: ${content.problem}`)
        }
  return any
}

const where = (source: string, name: string): string => (source.endsWith(name) ? source : `${source} ${name}`)

const show = (io: Io, { source, parts }: Inspected, now: Instant, again: boolean): void => {
  if (again) writeLine(io, '')
  const [only] = parts
  const single = parts.length === 1 && only !== undefined && source.endsWith(only.name)
  if (!single) writeLine(io, source)
  for (const part of parts) {
    writeLine(io, `${single ? source : part.name}: ${summary(part)}`)
    for (const line of part.contents.length > mostInFull ? briefly(part.contents, now) : inFull(part.contents, now))
      writeLine(io, `  ${line}`)
  }
}

/** A bundle of a hundred CAs is a list, not a book. */
const mostInFull = 6

const nouns: Readonly<Record<Content['type'], readonly [string, string]>> = {
  certificate: ['certificate', 'certificates'],
  privateKey: ['private key', 'private keys'],
  publicKey: ['public key', 'public keys'],
  certificateRequest: ['certificate request', 'certificate requests'],
  revocationList: ['revocation list', 'revocation lists'],
  other: ['other block', 'other blocks'],
  unreadable: ['thing that cannot be read', 'things that cannot be read'],
}

const summary = ({ form, bytes, contents }: Part): string => {
  if (form === 'password') return 'a password, not shown'
  if (form === 'text' || form === 'unknown')
    return `${form === 'text' ? 'text' : 'of an unknown form'}, ${bytes} bytes, not shown`
  const counts = (Object.keys(nouns) as Content['type'][]).flatMap((type) => {
    const count = contents.filter((content) => content.type === type).length
    return count === 0 ? [] : [`${count} ${nouns[type][count === 1 ? 0 : 1]}`]
  })
  return `${form}, ${counts.length === 0 ? 'nothing in it' : counts.join(', ')}`
}

const inFull = (contents: readonly Content[], now: Instant): string[] =>
  contents.flatMap((content) => {
    const [heading, ...lines] = describe(content, now)
    return [
      heading?.[1] ?? '',
      ...lines.flatMap(([label, text]) =>
        text === undefined || text === '' ? [] : [`  ${`${label}:`.padEnd(15)} ${text}`],
      ),
    ]
  })

const briefly = (contents: readonly Content[], now: Instant): string[] =>
  contents.map((content) => {
    const [heading] = describe(content, now)
    if (content.type !== 'certificate') return heading?.[1] ?? ''
    return `${heading?.[1]} ${content.subject}, until ${inWords(content.notAfter, now)}`
  })

type Line = readonly [label: string, text: string | undefined]

/** The first line is the heading. */
const describe = (content: Content, now: Instant): Line[] => {
  switch (content.type) {
    case 'certificate':
      return certificateLines(content, now)
    case 'privateKey':
      return [
        ['', `private key${named(content.alias)}${content.encrypted ? ', encrypted' : ''}: ${content.publicKey}`],
        [
          'Belongs to',
          content.certificateIn === undefined ? 'no certificate here' : `certificate in ${content.certificateIn}`,
        ],
      ]
    case 'publicKey':
      return [['', `public key: ${content.publicKey}`]]
    case 'certificateRequest':
      return [
        ['', 'certificate request'],
        ['Subject', content.subject],
        ['Names', namesInWords(content.names)],
        ['Public key', content.publicKey],
        ...content.problems.map((problem): Line => ['Problem', problem]),
      ]
    case 'revocationList':
      return [
        ['', `revocation list${content.number === undefined ? '' : ` number ${content.number}`}`],
        ['Issuer', content.issuer],
        ['Valid', validity(content.thisUpdate, content.nextUpdate, now)],
        ['Revoked', revokedInWords(content.revoked)],
        ['SHA-256', content.fingerprint],
      ]
    case 'other':
      return [['', content.label]]
    case 'unreadable':
      return [['', `${content.what}: ${content.problem}`]]
  }
}

const certificateLines = (certificate: CertificateFacts, now: Instant): Line[] => {
  const { subject, issuer, ca, pathLength, usages, revocationLists } = certificate
  const below = pathLength === undefined ? '' : `, path length ${pathLength}`
  const trust = certificate.trusted === true ? ', trusted' : ''
  return [
    ['', `${ca ? 'CA certificate' : 'certificate'}${named(certificate.alias)}${trust}`],
    ['Subject', subject === '' ? '(empty)' : subject],
    ['Issuer', issuer === subject ? 'itself' : issuer],
    ['Serial number', certificate.serialNumber],
    ['Names', namesInWords(certificate.names)],
    ['Valid', validity(certificate.notBefore, certificate.notAfter, now)],
    ['Public key', certificate.publicKey],
    ['Usage', `${usages.join(', ')}${ca ? below : ''}`],
    ['Revocation list', revocationLists.join(', ')],
    ['SHA-256', certificate.fingerprint],
  ]
}

const named = (alias: string | undefined): string => (alias === undefined ? '' : ` "${alias}"`)

const namesInWords = (names: readonly GeneralName[]): string =>
  names.map(({ type, value }) => `${type}:${value}`).join(', ')

const inWords = (text: string, now: Instant): string => {
  const instant = fromTimestamp(text)
  return instant === undefined ? text : timeInWords(instant, now)
}

const validity = (from: string, until: string | undefined, now: Instant): string => {
  if (until === undefined) return `from ${from}`
  const [begin = now, end = now] = [fromTimestamp(from), fromTimestamp(until)]
  const span = `${from} to ${inWords(until, now)}`
  if (now < begin) return `not yet: ${span}`
  return now > end ? `no longer: ${span}` : span
}

const mostSerials = 10

const revokedInWords = (revoked: readonly { readonly serialNumber: string; readonly reason?: string }[]): string => {
  if (revoked.length === 0) return 'none'
  const shown = revoked
    .slice(0, mostSerials)
    .map(({ serialNumber, reason }) => `${serialNumber}${reason ? ` (${reason})` : ''}`)
  return `${revoked.length}: ${shown.join(', ')}${revoked.length > mostSerials ? ', …' : ''}`
}
