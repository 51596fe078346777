/**
 * The Secret of a CA: how it is read back and judged. `tls.crt` holds the CA's certificate and, for an intermediate, the
 * certificates above it without the root; `ca.crt` the root or roots to trust; `tls.key` the key, encrypted when the CA
 * has a passphrase. Pure but for the key derivation.
 */

import { algorithmOfSpki, decodePrivateKey, decryptPrivateKey, spkiOf, WrongPassphrase } from '../pki/keys/keys.ts'
import { parseCertificate, type ParsedCertificate, signatureVerifies } from '../pki/certificates/parse.ts'
import { certificatesOf, decodePem } from '../pki/encoding/pem.ts'
import { publicKeyHash } from './trust.ts'

export interface StoredAuthority {
  readonly certificate: ParsedCertificate
  /** What a leaf's chain carries: this CA and those above it, without the root; empty for a root. */
  readonly chain: readonly Uint8Array[]
  /** Roots, the one that this CA hangs under first. */
  readonly trust: readonly Uint8Array[]
  readonly pkcs8: Uint8Array
  readonly encryptedWith: 'nothing' | 'passphrase' | 'previousPassphrase'
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly publicKeyHash: string
}

export interface Passphrases {
  readonly current?: string | undefined
  /** The one before, while the stored key is still under it: `<key>.previous` of the passphrase Secret. */
  readonly previous?: string | undefined
}

/** Says in a sentence why a CA's Secret cannot be used; never quotes its contents. */
export class StoredAuthorityError extends Error {
  override readonly name = 'StoredAuthorityError'
  readonly kind: 'Invalid' | 'PassphraseWrong'
  constructor(kind: 'Invalid' | 'PassphraseWrong', message: string) {
    super(message)
    this.kind = kind
  }
}

const invalid = (message: string): StoredAuthorityError => new StoredAuthorityError('Invalid', message)

export const readStoredAuthority = async (
  data: ReadonlyMap<string, Uint8Array>,
  passphrases: Passphrases,
): Promise<StoredAuthority> => {
  const certificates = pemCertificates(data, 'tls.crt')
  const roots = pemCertificates(data, 'ca.crt')
  const [certificate, ...above] = certificates
  if (certificate === undefined) throw invalid('its key tls.crt holds no certificate')
  if (roots.length === 0) throw invalid('its key ca.crt holds no certificate')
  const { pkcs8, encryptedWith } = await privateKey(data, passphrases)
  if (!belongs(pkcs8, certificate))
    throw invalid('the private key in tls.key does not belong to the certificate in tls.crt')
  if (!certificate.isCa) throw invalid('the certificate in tls.crt is not one of a CA')
  // RFC 5280 §4.2.1.3: without the extension a key may do everything; roots of "openssl req -x509" come like that.
  if (certificate.keyUsage.length > 0 && !certificate.keyUsage.includes('keyCertSign'))
    throw invalid('the certificate in tls.crt may not sign others (key usage keyCertSign)')
  if (!isChain(certificates, roots)) throw invalid('the certificates in tls.crt do not lead to one in ca.crt')
  const trust = roots.map(({ der }) => der)
  const selfSigned = isSelfSigned(certificate)
  return {
    certificate,
    chain: selfSigned ? [] : [certificate.der, ...above.map(({ der }) => der)],
    trust,
    pkcs8,
    encryptedWith,
    publicKeyHash: publicKeyHash(certificate),
  }
}

export const isSelfSigned = (certificate: ParsedCertificate): boolean =>
  signatureVerifies(certificate, certificate.subject, certificate.spki)

const belongs = (pkcs8: Uint8Array, { spki }: ParsedCertificate): boolean => {
  try {
    return Buffer.from(spkiOf(pkcs8)).equals(spki) && algorithmOfSpki(spki) !== undefined
  } catch {
    return false
  }
}

/** Each signed by the next, and the last by a root to trust: what is delivered to consumers must not come from elsewhere. */
const isChain = (certificates: readonly ParsedCertificate[], roots: readonly ParsedCertificate[]): boolean =>
  certificates.every((certificate, at) => {
    const next = certificates[at + 1]
    const signers = next === undefined ? roots : [next]
    return signers.some(({ subject, spki }) => signatureVerifies(certificate, subject, spki))
  })

const pemCertificates = (data: ReadonlyMap<string, Uint8Array>, key: string): ParsedCertificate[] => {
  const bytes = data.get(key)
  if (bytes === undefined) throw invalid(`it has no key ${key}`)
  try {
    return certificatesOf(Buffer.from(bytes).toString('utf8')).map((der) => parseCertificate(der))
  } catch {
    throw invalid(`its key ${key} does not hold PEM certificates`)
  }
}

const privateKey = async (
  data: ReadonlyMap<string, Uint8Array>,
  { current, previous }: Passphrases,
): Promise<Pick<StoredAuthority, 'pkcs8' | 'encryptedWith'>> => {
  const bytes = data.get('tls.key')
  if (bytes === undefined) throw invalid('it has no key tls.key')
  const block = (() => {
    try {
      return decodePem(Buffer.from(bytes).toString('utf8')).find(({ label }) => label.endsWith('PRIVATE KEY'))
    } catch {
      return undefined
    }
  })()
  if (block === undefined) throw invalid('its key tls.key holds no PEM private key')
  if (block.label !== 'ENCRYPTED PRIVATE KEY') return { pkcs8: plainKey(bytes), encryptedWith: 'nothing' }
  if (current === undefined)
    throw new StoredAuthorityError(
      'PassphraseWrong',
      'its private key is encrypted, and spec.privateKey.passphraseSecretRef is not set',
    )
  for (const [passphrase, encryptedWith] of [
    [current, 'passphrase'],
    [previous, 'previousPassphrase'],
  ] as const) {
    if (passphrase === undefined) continue
    try {
      return { pkcs8: await decryptPrivateKey(block.der, passphrase), encryptedWith }
    } catch (error) {
      if (!(error instanceof WrongPassphrase)) throw invalid('the encrypted private key in tls.key is damaged')
    }
  }
  throw new StoredAuthorityError('PassphraseWrong', 'the passphrase does not open the private key in tls.key')
}

const plainKey = (bytes: Uint8Array): Uint8Array => {
  try {
    return decodePrivateKey(Buffer.from(bytes).toString('utf8'))
  } catch {
    throw invalid('its key tls.key holds no readable private key')
  }
}
