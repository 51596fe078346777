/** What the parts of a folder or of somebody else's Secret are meant to be, from what they hold. */

import type { ContentName, OutputItem } from '../../material/contents.ts'
import { equal, parseCertificate, type ParsedCertificate } from '../../pki/certificates/parse.ts'
import { certificatesOf } from '../../pki/encoding/pem.ts'
import type { Content, Part } from '../inspect/contents.ts'
import type { CertificateFacts } from '../inspect/facts.ts'

export interface Meant {
  readonly items: readonly OutputItem[]
  readonly roots: readonly ParsedCertificate[]
  readonly intermediates: readonly ParsedCertificate[]
  /** One sentence each. */
  readonly problems: readonly string[]
}

/** `data` holds the bytes of `parts`. */
export const meantBy = (parts: readonly Part[], data: ReadonlyMap<string, Uint8Array>): Meant => {
  const leaf = leafAmong(parts)
  const items: OutputItem[] = []
  const roots: ParsedCertificate[] = []
  const intermediates: ParsedCertificate[] = []
  const problems = parts.flatMap(({ name, contents }) => contents.flatMap((one) => problemOf(name, one)))
  for (const part of parts) {
    const content = contentOf(part, leaf)
    if (content !== undefined) {
      items.push({ key: part.name, content })
      continue
    }
    const authorities = certificatesIn(part, data.get(part.name) ?? new Uint8Array())
    roots.push(...authorities.filter(isSelfIssued))
    intermediates.push(...authorities.filter((authority) => !isSelfIssued(authority)))
  }
  // A CA that signed itself is its own root.
  if (leaf !== undefined && leaf.issuer === leaf.subject)
    roots.push(
      ...parts
        .flatMap((part) => certificatesIn(part, data.get(part.name) ?? new Uint8Array()))
        .filter(({ fingerprint }) => fingerprint === leaf.fingerprint),
    )
  return { items, roots, intermediates, problems: [...problems, ...strayKeys(parts)] }
}

const isSelfIssued = ({ subject, issuer }: ParsedCertificate): boolean => equal(subject, issuer)

const problemOf = (name: string, content: Content): string[] =>
  content.type === 'unreadable' ? [`${name}: ${content.what}: ${content.problem}`] : []

/** A key that no certificate here is for; where none has its certificate, the certificate is told to have no key. */
const strayKeys = (parts: readonly Part[]): string[] => {
  const keys = parts.flatMap(({ name, contents }) =>
    contents.flatMap((one) => (one.type === 'privateKey' ? [{ name, belongs: one.certificateIn !== undefined }] : [])),
  )
  if (!keys.some(({ belongs }) => belongs)) return []
  return keys
    .filter(({ belongs }) => !belongs)
    .map(({ name }) => `${name}: the private key belongs to no certificate here`)
}

const certificatesOfPart = ({ contents }: Part): CertificateFacts[] =>
  contents.filter((one) => one.type === 'certificate')

export const isStore = ({ form }: Part): boolean => form === 'PKCS#12' || form === 'JKS'

/** The certificate that a key here is for; without any key the first that is no CA's. */
const leafAmong = (parts: readonly Part[]): CertificateFacts | undefined => {
  const keys = new Set(
    parts.flatMap(({ contents }) => contents.flatMap((one) => (one.type === 'privateKey' ? [one.publicKeyHash] : []))),
  )
  const all = [...parts.filter((part) => !isStore(part)), ...parts.filter(isStore)].flatMap(certificatesOfPart)
  const found = all.filter(({ trusted }) => trusted !== true)
  return found.find(({ publicKeyHash }) => keys.has(publicKeyHash)) ?? found.find(({ ca }) => !ca)
}

/** undefined: CAs, or nothing that is verified here. */
const contentOf = (part: Part, leaf: CertificateFacts | undefined): ContentName | undefined => {
  const { form, contents } = part
  const certificates = certificatesOfPart(part)
  const hasKey = contents.some(({ type }) => type === 'privateKey')
  if (isStore(part)) {
    if (contents.every(({ type }) => type === 'unreadable')) return undefined
    const prefix = form === 'JKS' ? 'JKS' : 'PKCS12'
    return hasKey ? `${prefix}Keystore` : `${prefix}Truststore`
  }
  if (contents.some(({ type }) => type === 'revocationList')) return 'RevocationList'
  const [first] = certificates
  if (first === undefined) return hasKey ? 'PrivateKey' : undefined
  if (first.fingerprint !== leaf?.fingerprint && certificates.every(({ ca }) => ca)) return undefined
  if (form === 'DER') return 'CertificateDER'
  return hasKey ? 'KeyThenChain' : 'CertificateChain'
}

/** Of a part that is no keystore; what cannot be read is passed over. */
export const certificatesIn = ({ form }: Pick<Part, 'form'>, bytes: Uint8Array): ParsedCertificate[] => {
  if (form !== 'PEM' && form !== 'DER') return []
  try {
    const ders = form === 'DER' ? [bytes] : certificatesOf(Buffer.from(bytes).toString('latin1'))
    return ders.map(parseCertificate)
  } catch {
    return []
  }
}
