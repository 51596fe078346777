/**
 * What the operator remembers of a CA that was brought along, in a Secret of its own: the certificates of the CA that
 * consumers know, and of the one that takes its place when the owner replaces it. Public parts alone; the key is the owner's
 * and stays in the owner's Secret (docs/adr/0021). Pure.
 *
 * `tls.crt` and `tls-ca.crt` are the CA and the roots to trust because of it, `next.*` or `former.*` likewise, and `ca.crt` is
 * what is trusted in all.
 */

import { dataHash } from '../material/hash.ts'
import { equal, parseCertificate, type ParsedCertificate } from '../pki/certificates/parse.ts'
import { certificatesOf, encodeCertificates } from '../pki/encoding/pem.ts'
import { type OtherName, otherNameOf, type Stage, stages } from './stage.ts'
import { isSelfSigned, StoredAuthorityError } from './stored.ts'
import { trustHash } from './trust.ts'

export interface Party {
  readonly certificate: ParsedCertificate
  /** DER, this CA first, without the root; empty when the CA is a root. */
  readonly chain: readonly Uint8Array[]
  /** DER roots to trust because of it, its own first. */
  readonly trust: readonly Uint8Array[]
}

export interface BroughtRecord {
  readonly stage: Stage
  readonly signer: Party
  readonly other?: Party & { readonly name: OtherName }
  /** Both were trusted before the key was replaced: what its owner takes out of trust after that, he does knowingly. */
  readonly overlapped?: true
}

/** Whose key lies in the owner's Secret: that of the CA that signs, of the one beside it, or of another one. */
export type KeyOwner = 'Signer' | 'Other' | 'Stranger'

export const keyOwnerOf = ({ signer, other }: BroughtRecord, { spki }: Pick<ParsedCertificate, 'spki'>): KeyOwner => {
  if (equal(spki, signer.certificate.spki)) return 'Signer'
  return other !== undefined && equal(spki, other.certificate.spki) ? 'Other' : 'Stranger'
}

/** Whose key has to be there for anything to be signed. */
export const keyWanted = (stage: Stage): KeyOwner => (stage === 'Next' || stage === 'Both' ? 'Other' : 'Signer')

/** DER roots that consumers trust, those of the CA that signs first. */
export const publishedTrust = ({ stage, signer, other }: BroughtRecord): readonly Uint8Array[] =>
  other !== undefined && (stage === 'Both' || stage === 'Switched') ? union(signer.trust, other.trust) : signer.trust

const union = (first: readonly Uint8Array[], second: readonly Uint8Array[]): readonly Uint8Array[] => [
  ...first,
  ...second.filter((der) => !first.some((one) => equal(one, der))),
]

/** Without what else the caller has of it. */
export const partyOf = ({ certificate, chain, trust }: Party): Party => ({ certificate, chain, trust })

export const isSameParty = (a: Party, b: Party): boolean =>
  a.certificate.fingerprint === b.certificate.fingerprint &&
  trustHash(a.chain) === trustHash(b.chain) &&
  trustHash(a.trust) === trustHash(b.trust)

/** Others may be left of a restore: what another field manager has put there, an apply of ours does not take away. */
const keysOf = (stage: Stage): readonly string[] => [
  'ca.crt',
  ...['tls', otherNameOf(stage) ?? 'tls'].flatMap((name) => [`${name}.crt`, `${name}-ca.crt`]),
]

export const recordData = (record: BroughtRecord): ReadonlyMap<string, Uint8Array> =>
  new Map([
    ...pairOf('tls', record.signer),
    ...(record.other === undefined ? [] : pairOf(record.other.name, record.other)),
    ['ca.crt', pems(publishedTrust(record))],
  ])

const pairOf = (name: string, { certificate, chain, trust }: Party): [string, Uint8Array][] => [
  [`${name}.crt`, pems([certificate.der, ...chain.slice(1)])],
  [`${name}-ca.crt`, pems(trust)],
]

const pems = (ders: readonly Uint8Array[]): Uint8Array => Buffer.from(encodeCertificates(ders))

/** What the annotations of its Secret say. */
export interface RecordMarks {
  readonly stage: string | undefined
  readonly hash: string | undefined
  readonly overlapped: boolean
}

/** Throws StoredAuthorityError. */
export const readRecord = (
  all: ReadonlyMap<string, Uint8Array>,
  { stage: mark, hash, overlapped }: RecordMarks,
): BroughtRecord => {
  const stage = stages.find((one) => one === mark)
  if (stage === undefined) throw invalid('its annotation dbtls.dev/rotation-stage names no stage of a rotation')
  const data = new Map([...all].filter(([key]) => keysOf(stage).includes(key)))
  if (dataHash(data) !== hash) throw invalid('somebody has changed it')
  const name = otherNameOf(stage)
  const signer = party(data, 'tls')
  if (name === undefined) return { stage, signer }
  const other = { name, ...party(data, name) }
  return { stage, signer, other, ...(overlapped ? { overlapped } : {}) }
}

const invalid = (message: string): StoredAuthorityError => new StoredAuthorityError('Invalid', message)

const party = (data: ReadonlyMap<string, Uint8Array>, name: string): Party => {
  const [certificate, ...above] = certificates(data, `${name}.crt`)
  if (certificate === undefined) throw invalid(`its key ${name}.crt holds no certificate`)
  const all = [certificate, ...above].map(({ der }) => der)
  return {
    certificate,
    chain: isSelfSigned(certificate) ? [] : all,
    trust: certificates(data, `${name}-ca.crt`).map(({ der }) => der),
  }
}

const certificates = (data: ReadonlyMap<string, Uint8Array>, key: string): ParsedCertificate[] => {
  try {
    return certificatesOf(Buffer.from(data.get(key) ?? []).toString('utf8')).map((der) => parseCertificate(der))
  } catch {
    throw invalid(`its key ${key} does not hold PEM certificates`)
  }
}
