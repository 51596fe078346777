/** Finds out what bytes are, in every form that certificates and keys are kept in, and reads them. */

import { createPublicKey } from 'node:crypto'
import { readJks } from '../../material/jks.ts'
import { type Keystore, KeystoreError } from '../../material/keystore.ts'
import { readPkcs12 } from '../../material/pkcs12-reader.ts'
import { children, DerError, expectTag, readElement, readOid, readOnly, Tag } from '../../pki/encoding/der.ts'
import { importPrivateKey, PassphraseMissing, UnfitKey } from '../../pki/imports/key.ts'
import { decodePrivateKey, KeyError, spkiOf, WrongPassphrase } from '../../pki/keys/keys.ts'
import { NameError } from '../../pki/names/names.ts'
import { CertificateError, parseCertificate } from '../../pki/certificates/parse.ts'
import { decodePem, encodePem, type PemBlock, PemError } from '../../pki/encoding/pem.ts'
import { parseRequest, RequestError } from '../../pki/requests/request.ts'
import { parseRevocationList, RevocationListError } from '../../pki/revocation/parse.ts'
import {
  type CertificateFacts,
  certificateFacts,
  type KeyFacts,
  publicKeyFacts,
  type RequestFacts,
  requestFacts,
  type RevocationListFacts,
  revocationListFacts,
} from './facts.ts'

export type Content =
  | CertificateFacts
  | KeyFacts
  | RequestFacts
  | RevocationListFacts
  /** Another PEM block, by its label. */
  | { readonly type: 'other'; readonly label: string }
  /** Something that is what it says and cannot be read, or not opened. */
  | { readonly type: 'unreadable'; readonly what: string; readonly problem: string }

export interface Part {
  /** Key of the Secret, or name of the file. */
  readonly name: string
  readonly form: 'PEM' | 'DER' | 'PKCS#7' | 'PKCS#12' | 'JKS' | 'password' | 'text' | 'unknown'
  readonly bytes: number
  readonly contents: readonly Content[]
}

/** Reads one part; whatever its bytes are, it does not reject. `passwords` are tried in order. */
export const readPart = async (name: string, bytes: Uint8Array, passwords: readonly string[]): Promise<Part> => {
  const part = (form: Part['form'], contents: readonly Content[]): Part => ({
    name,
    form,
    bytes: bytes.length,
    contents,
  })
  if (bytes[0] === 0xfe && bytes[1] === 0xed) return part('JKS', await readStore('JKS', bytes, passwords, readJks))
  if (bytes[0] === Tag.sequence) {
    const form = formOfDer(bytes)
    if (form === 'PKCS#12') return part(form, await readStore(form, bytes, passwords, readPkcs12))
    if (form === 'PKCS#7')
      return part(
        form,
        guarded('PKCS#7', () => readCertsOnly(bytes)),
      )
    if (form === 'DER') return part(form, await readDer(bytes, passwords))
  }
  const text = Buffer.from(bytes).toString('latin1')
  if (text.includes('-----BEGIN ')) return part('PEM', await readPem(text, passwords))
  return part(/^[\t\n\r\x20-\x7e\x80-\xff]*$/.test(text) ? 'text' : 'unknown', [])
}

/** The first member of the outermost SEQUENCE tells them apart. */
const formOfDer = (der: Uint8Array): 'DER' | 'PKCS#7' | 'PKCS#12' | undefined => {
  try {
    const [first, second] = children(readOnly(der, Tag.sequence))
    if (first?.tag === Tag.oid) return 'PKCS#7'
    return first?.tag === Tag.integer && second?.tag === Tag.sequence && first.contents[0] === 3 ? 'PKCS#12' : 'DER'
  } catch {
    return undefined
  }
}

const readable = [CertificateError, DerError, KeyError, KeystoreError, NameError, PemError, RequestError]

const problemOf = (error: unknown): string => {
  if (error instanceof Error && [...readable, RevocationListError].some((kind) => error instanceof kind))
    return error.message.replace(/\.$/, '')
  throw error
}

const guarded = (what: string, read: () => Content | Content[]): Content[] => {
  try {
    return [read()].flat()
  } catch (error) {
    return [{ type: 'unreadable', what, problem: problemOf(error) }]
  }
}

/** RFC 7292 or JKS: the entries, with the aliases under which Java knows them. */
const readStore = async (
  what: string,
  bytes: Uint8Array,
  passwords: readonly string[],
  read: (bytes: Uint8Array, password: string) => Keystore | Promise<Keystore>,
): Promise<Content[]> => {
  const closed = (problem: string): Content[] => [{ type: 'unreadable', what: `${what} keystore`, problem }]
  if (passwords.length === 0) return closed('its password is not known: name a file that holds it with --password-file')
  for (const password of passwords) {
    try {
      return entriesOf(await read(bytes, password))
    } catch (error) {
      if (!(error instanceof KeystoreError) || error.reason !== 'WrongPassword') return closed(problemOf(error))
    }
  }
  return closed('it is under another password')
}

const entriesOf = ({ keys, trusted }: Keystore): Content[] => {
  const found = [
    ...keys.flatMap(({ alias, pkcs8, chain }) => [
      ...guarded('private key', () => ({ ...privateKeyFacts(decodePrivateKey(pkcs8), true), alias })),
      // The alias names the key and its own certificate, not the CAs above.
      ...chain.flatMap((der, index) => certificate(der, index === 0 ? { alias } : {})),
    ]),
    ...trusted.flatMap(({ alias, certificate: der }) => certificate(der, { alias, trusted: true })),
  ]
  if (found.length > 0) return found
  const problem = 'it holds neither a key nor a certificate that Java would trust'
  return [{ type: 'unreadable', what: 'keystore', problem }]
}

const certificate = (der: Uint8Array, more: Partial<CertificateFacts> = {}): Content[] =>
  guarded('certificate', () => ({ ...certificateFacts(parseCertificate(der)), ...more }))

const privateKeyFacts = (pkcs8: Uint8Array, encrypted: boolean): KeyFacts => ({
  type: 'privateKey',
  encrypted,
  ...publicKeyFacts(spkiOf(pkcs8)),
})

/** SignedData (RFC 5652 §5.1), as `.p7b` and `.p7c` files are. */
const readCertsOnly = (der: Uint8Array): Content[] => {
  const [type, content] = children(readOnly(der, Tag.sequence))
  if (type === undefined || content === undefined || readOid(type) !== '1.2.840.113549.1.7.2')
    throw new DerError('only the SignedData form of PKCS#7 holds certificates')
  const members = children(readOnly(expectTag(content, 0xa0).contents, Tag.sequence))
  const sets = (tag: number) => members.filter((member) => member.tag === tag).flatMap(children)
  return [
    ...sets(0xa0).flatMap(({ encoded }) => certificate(encoded)),
    ...sets(0xa1).flatMap(({ encoded }) => revocationList(encoded)),
  ]
}

const revocationList = (der: Uint8Array): Content[] =>
  guarded('revocation list', () => revocationListFacts(parseRevocationList(der)))

const request = (der: Uint8Array): Content[] => guarded('certificate request', () => requestFacts(parseRequest(der)))

const publicKey = (der: Uint8Array): Content[] =>
  guarded('public key', () => ({ type: 'publicKey', encrypted: false, ...publicKeyFacts(readOnly(der).encoded) }))

/** What DER without a label is, from its shape alone, so that a damaged one is named for what it was meant to be. */
const readDer = async (der: Uint8Array, passwords: readonly string[]): Promise<Content[]> => {
  const [first, second, third] = children(readOnly(der, Tag.sequence))
  if (first?.tag === Tag.integer) return privateKey({ label: 'PRIVATE KEY', der }, passwords)
  if (first?.tag === Tag.sequence && second?.tag === Tag.octetString)
    return privateKey({ label: 'ENCRYPTED PRIVATE KEY', der }, passwords)
  if (first?.tag === Tag.sequence && second?.tag === Tag.bitString) return publicKey(der)
  if (first === undefined || third === undefined)
    return [{ type: 'unreadable', what: 'DER', problem: 'it is nothing that is known here' }]
  return guarded('DER', () => signedReader(children(first).map(({ tag }) => tag))(der))
}

/** By the members of what is signed: a list has a time where a certificate has a pair of them, a request has four members. */
const signedReader = (tags: readonly number[]): ((der: Uint8Array) => Content[]) => {
  if (tags.some((tag) => tag === Tag.utcTime || tag === Tag.generalizedTime)) return revocationList
  return tags[0] === Tag.integer && tags.length <= 4 ? request : certificate
}

/** Block by block, so that one that is damaged does not hide the others. */
const readPem = async (text: string, passwords: readonly string[]): Promise<Content[]> => {
  const contents: Content[] = []
  for (const piece of text.split(/(?=-----BEGIN )/).filter((one) => one.startsWith('-----BEGIN '))) {
    try {
      const [block] = decodePem(piece, { headers: true })
      if (block !== undefined) contents.push(...(await readBlock(block, piece, passwords)))
    } catch (error) {
      const [, label = 'PEM block'] = /^-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(piece) ?? []
      contents.push({ type: 'unreadable', what: label, problem: problemOf(error) })
    }
  }
  return contents
}

const readBlock = async (block: PemBlock, pem: string, passwords: readonly string[]): Promise<Content[]> => {
  const { label, der } = block
  if (label.endsWith('PRIVATE KEY')) return privateKey({ ...block, pem }, passwords)
  switch (label) {
    case 'CERTIFICATE':
    case 'X509 CERTIFICATE':
      return certificate(der)
    // openssl's own form: the certificate, and after it for what it is trusted.
    case 'TRUSTED CERTIFICATE':
      return certificate(readElement(der).encoded)
    case 'CERTIFICATE REQUEST':
    case 'NEW CERTIFICATE REQUEST':
      return request(der)
    case 'X509 CRL':
      return revocationList(der)
    case 'PUBLIC KEY':
      return publicKey(der)
    case 'PKCS7':
    case 'CMS':
      return guarded(label, () => readCertsOnly(der))
    default:
      return [{ type: 'other', label }]
  }
}

const privateKey = async (
  { label, der, headers, pem }: PemBlock & { readonly pem?: string },
  passwords: readonly string[],
): Promise<Content[]> => {
  const encrypted = headers !== undefined || label === 'ENCRYPTED PRIVATE KEY'
  const what = encrypted ? 'encrypted private key' : 'private key'
  try {
    if (!encrypted) return [plainKey(label, der)]
    const { pkcs8 } = await importPrivateKey(Buffer.from(pem ?? encodePem(label, der), 'latin1'), passwords)
    return [privateKeyFacts(pkcs8, true)]
  } catch (error) {
    if (error instanceof PassphraseMissing)
      return [
        {
          type: 'unreadable',
          what,
          problem: 'its password is not known: name a file that holds it with --password-file',
        },
      ]
    if (error instanceof WrongPassphrase) return [{ type: 'unreadable', what, problem: 'it is under another password' }]
    if (error instanceof UnfitKey || error instanceof KeyError)
      return [{ type: 'unreadable', what, problem: problemOf(error) }]
    throw error
  }
}

/** Also keys that nothing is signed with here, as far as OpenSSL knows them. */
const plainKey = (label: string, der: Uint8Array): KeyFacts => {
  try {
    return privateKeyFacts(decodePrivateKey(der), false)
  } catch (error) {
    try {
      const spki = createPublicKey(encodePem(label, der)).export({ type: 'spki', format: 'der' })
      return { type: 'privateKey', encrypted: false, ...publicKeyFacts(spki) }
    } catch {
      throw error
    }
  }
}
