/**
 * A CA that somebody brings along: key, certificate and the certificates above it, in any order and with anything around
 * them, made into what signs and what is trusted; or the exact reasons why it may not sign. Nothing is believed: signatures,
 * validity, constraints and strength are checked up to the root.
 */

import { isSelfSigned, listed, readCertificates } from './certificates.ts'
import { type ImportedKey, importPrivateKey, PassphraseMissing, UnfitKey } from './key.ts'
import { bestPath, type JudgedPath, type Path, type Problem, type RefusalKind } from './path.ts'
import { KeyError } from '../keys/encodings.ts'
import { WrongPassphrase } from '../keys/encryption.ts'
import { equal, type ParsedCertificate } from '../certificates/parse.ts'
import { PemError } from '../encoding/pem.ts'

export interface AuthorityFiles {
  /** PEM with the certificate of the key; others beside it help to find the way to the root. */
  readonly certificate: Uint8Array
  readonly privateKey: Uint8Array
  /** PEM of certificates above it. Every root in it is trusted, also one that this CA does not hang under. */
  readonly chain?: Uint8Array | undefined
  /** Tried in order, where the key is encrypted. */
  readonly passphrases: readonly string[]
  /** ms since the epoch */
  readonly now: number
}

export interface ImportedAuthority {
  readonly certificate: ParsedCertificate
  readonly pkcs8: Uint8Array
  /** DER, this CA first, ordered, without the root; empty when the CA is a root. */
  readonly chain: readonly Uint8Array[]
  /** DER roots, the one that this CA hangs under first. */
  readonly trust: readonly Uint8Array[]
  /** When the first certificate on the way to the root ends, ms. */
  readonly notAfter: number
  /** Sentences about what is left out, or does no harm here but may elsewhere. */
  readonly warnings: readonly string[]
}

export type AuthorityRefusal = {
  readonly state: 'refused'
  /** What to call it; `KeyMismatch`: key and certificate are of two CAs. */
  readonly kind: RefusalKind | 'Invalid' | 'KeyMismatch' | 'PassphraseMissing' | 'PassphraseWrong'
  /** One sentence each. */
  readonly problems: readonly string[]
  /** With NotYetValid: when it will be valid, ms. */
  readonly validFrom?: number
}

export type AuthorityVerdict = { readonly state: 'usable'; readonly authority: ImportedAuthority } | AuthorityRefusal

/** Certificates of one key: renewals and cross-signatures. Each costs a search. */
const maxCandidates = 16

const refused = (kind: AuthorityRefusal['kind'], ...problems: string[]): AuthorityRefusal => ({
  state: 'refused',
  kind,
  problems,
})

/** Never rejects for what the files hold. */
export const importAuthority = async (files: AuthorityFiles): Promise<AuthorityVerdict> => {
  const found = readAll(files)
  if ('state' in found) return found
  let key: ImportedKey
  try {
    key = await importPrivateKey(files.privateKey, files.passphrases)
  } catch (error) {
    if (!(error instanceof KeyError)) throw error
    return refused(kindOf(error), error.message)
  }
  const own = found.own.filter(({ spki }) => equal(spki, key.spki))
  if (own.length === 0) return refused('KeyMismatch', ...mismatch(found.own), ...found.unreadable)
  const pool = [...found.above, ...found.own]
  const judged = own.slice(0, maxCandidates).map((certificate) => bestPath(certificate, pool, files.now))
  const usable = judged
    .filter(({ path, problems }) => path !== undefined && problems.length === 0)
    .toSorted((a, b) => endOf(b) - endOf(a))[0]
  if (usable?.path === undefined) return refusedPath(judged)
  return { state: 'usable', authority: assemble(usable.path, usable.warnings, key.pkcs8, found, files.now) }
}

interface Found {
  readonly own: readonly ParsedCertificate[]
  readonly above: readonly ParsedCertificate[]
  readonly unreadable: readonly string[]
}

const readAll = ({ certificate, chain }: AuthorityFiles): Found | AuthorityRefusal => {
  const texts = [
    ['certificate', certificate],
    ['chain', chain],
  ] as const
  const read: Found[] = []
  for (const [title, text] of texts) {
    if (text === undefined) continue
    try {
      const { certificates, unreadable } = readCertificates(text)
      read.push(
        title === 'certificate'
          ? { own: certificates, above: [], unreadable }
          : { own: [], above: certificates, unreadable },
      )
    } catch (error) {
      if (!(error instanceof PemError)) throw error
      return refused('Invalid', `The ${title} cannot be read: ${error.message}.`)
    }
  }
  const found = {
    own: read.flatMap(({ own }) => own),
    above: read.flatMap(({ above }) => above),
    unreadable: read.flatMap(({ unreadable }) => unreadable),
  }
  return found.own.length === 0 ? refused('Invalid', ...found.unreadable) : found
}

const kindOf = (error: KeyError): AuthorityRefusal['kind'] => {
  if (error instanceof UnfitKey) return 'CannotSign'
  if (error instanceof WrongPassphrase) return 'PassphraseWrong'
  return error instanceof PassphraseMissing ? 'PassphraseMissing' : 'Invalid'
}

const mismatch = (own: readonly ParsedCertificate[]): string[] => [
  own.length === 1
    ? `The private key does not belong to the certificate ${listed(own)}.`
    : `The private key belongs to none of the certificates ${listed(own)}.`,
]

const endOf = ({ path }: JudgedPath): number => path?.[0].notAfter ?? 0

/** The refusal of the certificate with the fewest problems; its first kind in the order below names it. */
const refusedPath = (judged: readonly JudgedPath[]): AuthorityRefusal => {
  const [least] = judged.toSorted((a, b) => a.problems.length - b.problems.length)
  const problems: readonly Problem[] = least?.problems ?? []
  const order: readonly RefusalKind[] = ['CannotSign', 'Expired', 'NotYetValid']
  const kind = order.find((candidate) => problems.some((problem) => problem.kind === candidate)) ?? 'CannotSign'
  const refusal = refused(kind, ...new Set(problems.map(({ message }) => message)))
  const starts = (least?.path ?? []).map(({ notBefore }) => notBefore)
  return kind === 'NotYetValid' ? { ...refusal, validFrom: Math.max(...starts) } : refusal
}

const assemble = (
  path: Path,
  warnings: readonly string[],
  pkcs8: Uint8Array,
  { own, above, unreadable }: Found,
  now: number,
): ImportedAuthority => {
  const [certificate] = path
  const root = path.at(-1) ?? certificate
  const others = above.filter((other) => other.fingerprint !== root.fingerprint && other.isCa && isSelfSigned(other))
  const trusted = others.filter(({ notAfter }) => now <= notAfter)
  const used = new Set([...path, ...others].map(({ fingerprint }) => fingerprint))
  const unused = [...own, ...above].filter(({ fingerprint }) => !used.has(fingerprint))
  const ended = others.filter(({ notAfter }) => now > notAfter)
  return {
    certificate,
    pkcs8,
    chain: path.slice(0, -1).map(({ der }) => der),
    trust: [root, ...trusted].map(({ der }) => der),
    notAfter: Math.min(...path.map(({ notAfter }) => notAfter)),
    warnings: [
      ...warnings,
      ...(unused.length === 0 ? [] : [`Not needed and left out: ${listed(unused)}.`]),
      ...(ended.length === 0 ? [] : [`Expired and left out of the trust bundle: ${listed(ended)}.`]),
      ...unreadable,
    ],
  }
}
