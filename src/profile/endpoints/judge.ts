/**
 * What was seen of an endpoint → what is said of it: a row of `status.endpoints`.
 * A server's own words do not go into it: whoever writes a profile chooses who is asked, and is told facts of TLS alone.
 */

import type { FaultReason } from '../../database/connect/fault.ts'
import { timestamp } from '../../resources/conditions.ts'
import type { DatabaseTLSProfileStatus } from '../../resources/database-tls-profile-status.ts'
import { isAsked, type Look, type TrustSeen, type Visited, withoutOtherFamily } from './seen.ts'

/** A certificate that the server should serve. */
export interface Expected {
  /** Of the DatabaseCertificate. */
  readonly certificate: string
  readonly serialNumber: string
  readonly fingerprint: string
  /** When it was issued, ms since the epoch; absent where that is not known. */
  readonly since?: number
}

export interface Wish {
  /** Empty where the server brings its own certificate, or none was issued yet. */
  readonly expected: readonly Expected[]
  /** The server has certificates of its own: any that verifies is right. */
  readonly managed: boolean
  /** Clients connect to it; otherwise its clients are its own kind, and may follow rules of their own. */
  readonly facesClients: boolean
  /** Of the engine. */
  readonly engine: string
  /** The client of the profile whose certificate is shown. */
  readonly client?: string
  /** Whether a serial number is of a certificate that the expected ones came after. */
  readonly wasOurs: (serialNumber: string) => boolean
  /** While a root above them is replaced: the expected ones were delivered with the chain of the one that takes its place. */
  readonly hasPresentChain?: () => boolean
}

/** From what troubles clients most. `NotAsked` with a served certificate: what may be asked behind the name serves what it should. */
export const standings = [
  'NoTLS',
  'Other',
  'NotVerified',
  'Old',
  'ClientRefused',
  'Unreachable',
  'NotAsked',
  'Serving',
] as const
export type Standing = (typeof standings)[number]

export interface Judged {
  readonly standing: Standing
  /** Sentences. */
  readonly message: string
  readonly servedSerial?: string
  /** ms since the epoch */
  readonly notAfter?: number
  /** Of the served certificate, plain text. */
  readonly names?: readonly string[]
  /** Fingerprints of what the server sent above it. */
  readonly above?: readonly string[]
  /** Fingerprints of CAs; absent where it is not known which. */
  readonly trusts?: readonly string[]
  /** Absent where nobody has asked. */
  readonly trustProof?: TrustProof
  /** It shows the certificate that it should with the chain of a CA that is being replaced, and was given the other one. */
  readonly formerChain?: boolean
  /** False where more addresses are behind its name than are asked. */
  readonly isWhole?: boolean
  /** Hash of what remains when something goes, where clients that trust that alone see the same. */
  readonly verifiesUnder?: string
}

export type TrustProof = NonNullable<NonNullable<DatabaseTLSProfileStatus['endpoints']>[number]['trustProof']>

const noTls: ReadonlySet<FaultReason> = new Set<FaultReason>(['TLSOff', 'WrongProtocol', 'HandshakeFailed'])

const nameless = 'Its name leads nowhere: DNS does not know it, or does not answer.'

const faultSentences: Readonly<Record<FaultReason, (engine: string) => string>> = {
  NameNotFound: () => nameless,
  ConnectFailed: () =>
    'No connection is made: nobody listens there, or a firewall or NetworkPolicy is between the operator and it.',
  NoAnswer: () => 'It takes the connection and does not answer in time.',
  Closed: () => 'It hung up before it had shown a certificate.',
  TLSOff: () => 'It answers, and has TLS switched off: give it the files of its Secret, and restart it.',
  WrongProtocol: (engine) => `What answers there speaks no TLS, or not as ${engine} does: correct the port.`,
  Blocked: () =>
    "It turns the operator's address away before TLS (host not allowed, or blocked after too many errors).",
  Busy: () => 'It is full, starting or stopping.',
  ServerError: () => 'It answers with an error instead of TLS.',
  HandshakeFailed: () =>
    'No TLS came about: it has no protocol version or cipher suite in common with clients of today, or no certificate.',
  Aborted: () => 'It was not asked to the end.',
}

const mostSentence = 600
const mostName = 260
const plain = (text: string, most: number): string => {
  const ascii = text.replace(/[^ -~]+/g, '?')
  return ascii.length <= most ? ascii : `${ascii.slice(0, most)}…`
}
const cut = (text: string): string => plain(text, mostSentence)

export const judge = (look: Look, wish: Wish): Judged => {
  const proof = proofOf(look)
  if (look.refusal !== undefined) return { standing: 'NotAsked', message: cut(`It was not asked: ${look.refusal}.`) }
  if (look.nameFault !== undefined) return { standing: 'Unreachable', message: nameless, ...proof }
  const behind = withoutOtherFamily(look.visits)
  const asked = behind.filter(isAsked)
  // That some are left out is said first: who lists the pods sees which of them may not be asked.
  const visits = look.leftOut === undefined || asked.length === 0 ? behind : asked
  const all = visits.map((visit) => ({ visit, ...judgeVisit(visit, look, wish) }))
  const [worst] = all.toSorted((a, b) => standings.indexOf(a.standing) - standings.indexOf(b.standing))
  if (worst === undefined) return { standing: 'Unreachable', message: nameless, ...proof }
  const { visit } = worst
  const isSeen = asked.length > 0 && asked.every(({ served: shown }) => shown !== undefined)
  const { standing, sentence, hangs, formerChain = false } = withChain(worst, look, wish, isSeen)
  const served = visit.served ?? all.find((one) => one.visit.served !== undefined)?.visit.served
  const troubled = all.filter((one) => one.standing !== 'Serving').length
  const where = visits.length > 1 && troubled > 0 ? `${troubled} of ${visits.length} addresses, ${visit.address}: ` : ''
  const more = visit.served === undefined ? [] : clientSentences(visit, look, wish)
  const next = look.trust?.message === undefined ? [] : [cut(look.trust.message)]
  const { without } = look
  const beyond = look.leftOut === undefined ? [] : [unaskedSentence(look.leftOut, look.visits.length)]
  return {
    standing,
    message: [`${where}${sentence}`, ...more, ...next, ...hangs, ...beyond].join(' '),
    ...(without?.same === true ? { verifiesUnder: without.hash } : {}),
    ...(served === undefined ? {} : shownOf(served)),
    ...(asked.length === 0 ? {} : proof),
    isWhole: look.leftOut === undefined,
    formerChain,
  }
}

const mostNames = 8
const mostAbove = 4

const shownOf = ({
  serialNumber,
  notAfter,
  names,
  above,
}: NonNullable<Visited['served']>): Pick<Judged, 'servedSerial' | 'notAfter' | 'names' | 'above'> => ({
  ...{ servedSerial: serialNumber, notAfter },
  ...(names.length === 0 ? {} : { names: names.slice(0, mostNames).map((name) => plain(name, mostName)) }),
  ...(above.length === 0 ? {} : { above: above.slice(0, mostAbove) }),
})

type Said = Pick<Judged, 'standing'> & { readonly sentence: string }

/** A chain that clients will refuse is as old as a certificate, once the server could have loaded another one. */
const withChain = (
  { standing, sentence }: Said,
  { without, leftOut }: Look,
  { managed, expected: [first], hasPresentChain }: Wish,
  isSeen: boolean,
): Said & { readonly hangs: readonly string[]; readonly formerChain?: true } => {
  // Of an address that shows nothing, or is left out, this cannot be said, and that it does not is said already.
  if (without === undefined || without.same || leftOut !== undefined || !isSeen)
    return { standing, sentence, hangs: [] }
  const isCurrent = standing === 'Serving' || standing === 'NotAsked'
  if (managed) return { standing, sentence, hangs: isCurrent ? [leansOnWhatGoes] : [] }
  if (!isCurrent || first === undefined || hasPresentChain?.() !== true)
    return { standing, sentence, hangs: [hangsOnFormerChain] }
  const old = `It serves the current certificate of ${first.certificate} with the chain of the former CA, and has not loaded the one that is in its Secret. Let it reload or restart, or set spec.reload.`
  return { standing: 'Old', sentence: cut(old), hangs: [], formerChain: true }
}

const unaskedSentence = (leftOut: number, asked: number): string =>
  `${leftOut} of the ${leftOut + asked} addresses behind its name are not asked: list the pods in spec.probe.endpoints.`

const hangsOnFormerChain =
  'What it shows hangs on a CA that is being replaced: clients refuse it when that one is trusted no more.'

const leansOnWhatGoes =
  'Clients would refuse it without what was taken out of the bundle: it is to be given a certificate of a CA that stays.'

const proofs: Readonly<Record<TrustSeen['state'], TrustProof>> = {
  Trusted: 'Proved',
  Refused: 'Refused',
  NotRequested: 'NotRequested',
  Anybody: 'Anybody',
  Unknown: 'Unknown',
}

const proofOf = ({ trust }: Look): Pick<Judged, 'trusts' | 'trustProof'> =>
  trust === undefined
    ? {}
    : { trustProof: proofs[trust.state], ...(trust.trusts === undefined ? {} : { trusts: trust.trusts }) }

const judgeVisit = (visit: Visited, look: Look, wish: Wish): { standing: Standing; sentence: string } => {
  const { fault, refusal, served, problems } = visit
  const say = (standing: Standing, sentence: string) => ({ standing, sentence: cut(sentence) })
  if (refusal !== undefined) return say('NotAsked', `It was not asked: ${refusal}.`)
  if (fault !== undefined) return say(noTls.has(fault) ? 'NoTLS' : 'Unreachable', faultSentences[fault](wish.engine))
  if (served === undefined) return say('NoTLS', 'It shows no certificate that can be read.')
  const current = wish.expected.find(({ fingerprint }) => fingerprint === served.fingerprint)
  const [first] = wish.expected
  if (first !== undefined && current === undefined) {
    const instead = wish.expected.length === 1 ? `not ${first.serialNumber}` : 'none of the current ones'
    if (!wish.wasOurs(served.serialNumber))
      return say(
        'Other',
        `It serves ${served.serialNumber}, signed by "${served.issuer}", and ${instead} of this profile: it was given other files, or another server answers there.`,
      )
    const since = first.since === undefined ? '' : ` since ${timestamp(first.since)}`
    return say(
      'Old',
      `It still serves ${served.serialNumber} and ${instead}, which is in Secret of ${first.certificate}${since}: it has not loaded it. Let it reload or restart, or set spec.reload.`,
    )
  }
  if (problems.length > 0)
    return say('NotVerified', `Clients refuse what it serves (${served.serialNumber}): ${problems.join('; ')}.`)
  if (visit.refused && visit.sent && wish.facesClients)
    return say(
      'ClientRefused',
      `It refuses the certificate of client ${wish.client ?? ''}: it has not loaded the CA of the clients, or does not allow that name.`,
    )
  const what =
    current === undefined ? 'a certificate that verifies' : `the current certificate of ${current.certificate}`
  return say('Serving', `It serves ${what}, valid until ${timestamp(served.notAfter)}.`)
}

/** What is worth knowing of a server that serves TLS, and is no fault of it. */
const clientSentences = (visit: Visited, { client, trust }: Look, { facesClients }: Wish): string[] => {
  const wants = visit.refused && visit.requested !== false
  if (wants && client === 'None')
    return [
      'It wants a client certificate, and the profile has none to show: list a client in spec.clients to see more of it.',
    ]
  if (wants && client === 'Unreadable')
    return ['It wants a client certificate, and the Secret of the client could not be read.']
  if (wants && !facesClients) return ['It takes only certificates of its own kind.']
  if (trust?.state === 'Anybody') return ['It verifies no client certificate: it takes those of unknown CAs, too.']
  if (trust?.state === 'NotRequested' || visit.requested === false) return ['It asks clients for no certificate.']
  return []
}
