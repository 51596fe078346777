/**
 * The Secret of a CA: how it is read back and judged. `tls.crt` holds the CA's certificate and, for an intermediate, the
 * certificates above it without the root; `ca.crt` the root or roots to trust; `tls.key` the key, encrypted when the CA
 * has a passphrase. While the CA rotates, `next.*` or `former.*` hold certificates and key of the second one in the same
 * way. Pure but for the key derivation.
 */

import { algorithmOfSpki, decodePrivateKey, decryptPrivateKey, spkiOf, WrongPassphrase } from '../pki/keys/keys.ts'
import { parseCertificate, type ParsedCertificate, signatureVerifies } from '../pki/certificates/parse.ts'
import { certificatesOf, decodePem } from '../pki/encoding/pem.ts'
import { type OtherName, otherNameOf, type Stage, stageOf } from './stage.ts'
import { publicKeyHash } from './trust.ts'

type Encryption = 'nothing' | 'passphrase' | 'previousPassphrase'

export interface StoredAuthority {
  readonly certificate: ParsedCertificate
  /** What a leaf's chain carries: this CA and those above it, without the root; of a root only one that another has signed for it. */
  readonly chain: readonly Uint8Array[]
  /** Roots, the one that this CA hangs under first. */
  readonly trust: readonly Uint8Array[]
  readonly pkcs8: Uint8Array
  readonly encryptedWith: Encryption
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly publicKeyHash: string
  readonly stage: Stage
  /** The next or the former CA, in the stages that have one; whether the ledger knows it is asked elsewhere. */
  readonly other?: StoredOther
}

export interface StoredOther {
  readonly name: OtherName
  readonly certificate: ParsedCertificate
  /** As that of the CA itself. */
  readonly chain: readonly Uint8Array[]
  /** A former CA may be left without its key. */
  readonly pkcs8?: Uint8Array
  readonly encryptedWith: Encryption
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

/** `mark`: what the Secret's annotation says of the stage. Rejects with StoredAuthorityError. */
export const readStoredAuthority = async (
  contents: ReadonlyMap<string, Uint8Array>,
  passphrases: Passphrases,
  mark?: string,
): Promise<StoredAuthority> => {
  // What is on its way out is emptied first.
  const data = new Map([...contents].filter(([, bytes]) => bytes.length > 0))
  const roots = pemCertificates(data, 'ca.crt')
  if (roots.length === 0) throw invalid('its key ca.crt holds no certificate')
  const { pkcs8, ...first } = await oneOf('tls', data, roots, passphrases)
  if (pkcs8 === undefined) throw invalid('it has no key tls.key')
  const names = (['next', 'former'] as const).filter((name) => data.has(`${name}.crt`) || data.has(`${name}.key`))
  const [name] = names
  const read = name === undefined ? undefined : await oneOf(name, data, roots, passphrases)
  const found = stageOf(mark, {
    names,
    other: read?.certificate,
    otherIsRoot: read !== undefined && isSelfSigned(read.certificate),
    roots,
  })
  if ('problem' in found) throw invalid(found.problem)
  const { stage } = found
  if (otherNameOf(stage) === 'next' && read?.pkcs8 === undefined) throw invalid('it has no key next.key')
  return {
    ...first,
    pkcs8,
    trust: roots.map(({ der }) => der),
    stage,
    ...(read === undefined || name === undefined ? {} : { other: { name, ...read } }),
  }
}

/** Of `<name>.crt` and `<name>.key`. */
const oneOf = async (
  name: 'tls' | OtherName,
  data: ReadonlyMap<string, Uint8Array>,
  roots: readonly ParsedCertificate[],
  passphrases: Passphrases,
): Promise<Omit<StoredOther, 'name'>> => {
  const certificates = pemCertificates(data, `${name}.crt`)
  const [certificate, ...above] = certificates
  if (certificate === undefined) throw invalid(`its key ${name}.crt holds no certificate`)
  const key = await privateKey(data, `${name}.key`, passphrases)
  if (key !== undefined && !belongs(key.pkcs8, certificate))
    throw invalid(`the private key in ${name}.key does not belong to the certificate in ${name}.crt`)
  if (!certificate.isCa) throw invalid(`the certificate in ${name}.crt is not one of a CA`)
  // RFC 5280 §4.2.1.3: without the extension a key may do everything; roots of "openssl req -x509" come like that.
  if (certificate.keyUsage.length > 0 && !certificate.keyUsage.includes('keyCertSign'))
    throw invalid(`the certificate in ${name}.crt may not sign others (key usage keyCertSign)`)
  const selfSigned = isSelfSigned(certificate)
  // A root that is not trusted yet, or no more, leads to itself.
  const ends = selfSigned && name !== 'tls' ? [...roots, certificate] : roots
  if (!isChain(certificates, ends)) throw invalid(`the certificates in ${name}.crt do not lead to one in ca.crt`)
  return {
    certificate,
    chain: (selfSigned ? above.filter((one) => !isSelfSigned(one)) : certificates).map(({ der }) => der),
    encryptedWith: 'nothing',
    ...key,
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
  name: string,
  { current, previous }: Passphrases,
): Promise<Pick<StoredAuthority, 'pkcs8' | 'encryptedWith'> | undefined> => {
  const bytes = data.get(name)
  if (bytes === undefined) return undefined
  const block = (() => {
    try {
      return decodePem(Buffer.from(bytes).toString('utf8')).find(({ label }) => label.endsWith('PRIVATE KEY'))
    } catch {
      return undefined
    }
  })()
  if (block === undefined) throw invalid(`its key ${name} holds no PEM private key`)
  if (block.label !== 'ENCRYPTED PRIVATE KEY') return { pkcs8: plainKey(bytes, name), encryptedWith: 'nothing' }
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
      if (!(error instanceof WrongPassphrase)) throw invalid(`the encrypted private key in ${name} is damaged`)
    }
  }
  throw new StoredAuthorityError('PassphraseWrong', `the passphrase does not open the private key in ${name}`)
}

const plainKey = (bytes: Uint8Array, name: string): Uint8Array => {
  try {
    return decodePrivateKey(Buffer.from(bytes).toString('utf8'))
  } catch {
    throw invalid(`its key ${name} holds no readable private key`)
  }
}
