/** A public key infrastructure for samples: what the program issues, and what it never would. */
import { randomBytes, webcrypto } from 'node:crypto'
import { encodeTbs, issueCertificate } from '../../src/pki/certificates/certificate.ts'
import {
  bitString,
  boolean,
  children,
  contextConstructed,
  octetString,
  oid,
  readOnly,
  sequence,
} from '../../src/pki/encoding/der.ts'
import { generateKeyPair, type KeyPair } from '../../src/pki/keys/keys.ts'
import { distinguishedName } from '../../src/pki/names/names.ts'
import type { RawExtension } from '../../src/pki/certificates/extensions.ts'
import { readExtension } from '../../src/pki/certificates/parse.ts'
import type { CertificatePlan, KeyAlgorithm, NameConstraints } from '../../src/pki/plan.ts'
import {
  authorityPlan,
  leafPlan,
  type LeafRequest,
  type Role,
  serialNumber,
  usagesOf,
} from '../../src/pki/certificates/plans.ts'
import { issueRevocationList, type RevocationListPlan } from '../../src/pki/revocation/revocation-list.ts'
import { createSigner, selfSigner, type Signer } from '../../src/pki/certificates/signer.ts'

export const day = 24 * 3600 * 1000
/** Tools judge by the machine's clock. */
export const now = Math.floor(Date.now() / 1000) * 1000
export const host = 'db.data.svc'
export const p256: KeyAlgorithm = { algorithm: 'ECDSA', size: 256 }

export interface Authority {
  readonly certificate: Uint8Array
  readonly signer: Signer
  readonly key: KeyPair
  /** This one first, the root last. */
  readonly chain: readonly Uint8Array[]
}

const serial = (): Uint8Array => serialNumber(new Uint8Array(randomBytes(16)))

export const newKey = (algorithm: KeyAlgorithm = p256): Promise<KeyPair> => generateKeyPair(webcrypto, algorithm)

export interface AuthorityOptions {
  readonly algorithm?: KeyAlgorithm
  readonly subject?: Uint8Array
  readonly pathLength?: number
  readonly nameConstraints?: NameConstraints | undefined
  readonly duration?: number
  /** ms */
  readonly at?: number
  readonly under?: Authority
  readonly locations?: { readonly crlDistributionPoints: readonly string[]; readonly caIssuers: readonly string[] }
  /** Makes something else of the certificate than was planned. */
  readonly forged?: Forgery
}

/** Changes the fields of a TBSCertificate or TBSCertList before it is signed. */
export type Forgery = (fields: Uint8Array[]) => Uint8Array[]

let made = 0

export const makeAuthority = async (options: AuthorityOptions = {}): Promise<Authority> => {
  made += 1
  const key = await newKey(options.algorithm)
  const { under } = options
  const subject =
    options.subject ?? distinguishedName({ commonName: `CA ${made}`, organizations: ['Acme'], countries: ['DE'] })
  const signer = under?.signer ?? (await selfSigner(webcrypto, { pkcs8: key.pkcs8, subject }))
  const plan = authorityPlan({
    signer,
    selfSigned: under === undefined,
    subject,
    spki: key.spki,
    pathLength: options.pathLength,
    nameConstraints: options.nameConstraints,
    duration: options.duration ?? 1000 * day,
    now: options.at ?? now,
    serialNumber: serial(),
    ...options.locations,
  })
  const certificate =
    options.forged === undefined
      ? (await issueCertificate(plan, signer)).der
      : await forge(plan, signer, options.forged)
  return authorityOf(key, certificate, under)
}

/** Also of certificates that no signer is made of: everything that would bind it is left out. */
export const authorityOf = async (key: KeyPair, certificate: Uint8Array, under?: Authority): Promise<Authority> => {
  const fields = children(readOnly(fieldsOf(certificate)[0] ?? certificate)).map(({ encoded }) => encoded)
  const chain = [certificate, ...(under?.chain ?? [])]
  const signer = await createSigner(webcrypto, { pkcs8: key.pkcs8, certificate }).catch(() =>
    selfSigner(webcrypto, { pkcs8: key.pkcs8, subject: fields[5] ?? certificate }),
  )
  return { key, certificate, chain, signer: { ...signer, mayIssueRevocationLists: true } }
}

export const planLeaf = (
  { signer }: Pick<Authority, 'signer'>,
  key: KeyPair,
  role: Role = 'Server',
  changes: Partial<LeafRequest> = {},
): CertificatePlan =>
  leafPlan({
    signer,
    subject: distinguishedName({ commonName: host }),
    names: [{ type: 'DNS', value: host }],
    ...usagesOf(role, [], key.algorithm),
    spki: key.spki,
    duration: 90 * day,
    now,
    serialNumber: serial(),
    ...changes,
  })

/** Signs whatever it is given, by none of the rules. */
export const forge = async (
  plan: CertificatePlan,
  signer: Signer,
  forgery: Forgery = (fields) => fields,
): Promise<Uint8Array> => sign(sequence(...forgery(fieldsOf(encodeTbs(plan, signer.signatureAlgorithm)))), signer)

export const planList = (
  { signer }: Pick<Authority, 'signer'>,
  changes: Partial<RevocationListPlan> = {},
): RevocationListPlan => ({
  issuer: signer.subject,
  authorityKeyId: signer.subjectKeyId,
  thisUpdate: now - 60_000,
  nextUpdate: now + 7 * day,
  number: 7n,
  revoked: [],
  ...changes,
})

export const makeList = (authority: Authority, changes: Partial<RevocationListPlan> = {}): Promise<Uint8Array> =>
  issueRevocationList(authority.signer, planList(authority, changes))

export const forgeList = async (
  authority: Authority,
  changes: Partial<RevocationListPlan>,
  forgery: Forgery,
): Promise<Uint8Array> => {
  const [tbs] = fieldsOf(await makeList(authority, changes))
  return sign(sequence(...forgery(fieldsOf(tbs ?? new Uint8Array()))), authority.signer)
}

const sign = async (tbs: Uint8Array, signer: Signer): Promise<Uint8Array> =>
  sequence(tbs, signer.signatureAlgorithm, bitString(await signer.sign(tbs)))

export const fieldsOf = (der: Uint8Array): Uint8Array[] => children(readOnly(der)).map(({ encoded }) => encoded)

/** Fields of a TBSCertificate that is of version 3. */
export const field = { serialNumber: 1, issuer: 3, validity: 4, subject: 5 } as const

export const replacing =
  (index: number, replacement: Uint8Array): Forgery =>
  (fields) =>
    fields.with(index, replacement)

/** Changes the extensions, which are the last field of both kinds, [3] of a certificate and [0] of a list. */
export const changingExtensions =
  (change: (extensions: RawExtension[]) => RawExtension[]): Forgery =>
  (fields) => {
    const last = readOnly(fields.at(-1) ?? new Uint8Array())
    const changed = change(children(readOnly(last.contents)).map(readExtension))
    return [...fields.slice(0, -1), contextConstructed(last.tag & 0x1f, sequence(...changed.map(encodeExtension)))]
  }

const encodeExtension = ({ oid: id, critical, value }: RawExtension): Uint8Array =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value))

export const without = (id: string): Forgery => changingExtensions((all) => all.filter((one) => one.oid !== id))

export const critical = (id: string, flag: boolean): Forgery =>
  changingExtensions((all) => all.map((one) => (one.oid === id ? { ...one, critical: flag } : one)))

export const adding = (extension: RawExtension): Forgery => changingExtensions((all) => [...all, extension])

/** The last byte is one of the signature. */
export const tampered = (der: Uint8Array): Uint8Array => der.with(der.length - 1, (der.at(-1) ?? 0) ^ 1)
