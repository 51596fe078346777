/** From a CA's certificate and key to the contents of its Secret. */

import { type Context, marks } from '../control/context.ts'
import type { SecretContent } from '../control/write-secret.ts'
import { encryptPrivateKey } from '../pki/keys/keys.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { encodeCertificates, encodePem } from '../pki/encoding/pem.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Observed } from './observed.ts'
import { type OtherName, rootsOf, type Stage } from './stage.ts'
import type { StoredAuthority } from './stored.ts'
import type { Wanted } from './wanted.ts'

/** PBKDF2-HMAC-SHA256 iterations for a CA key at rest (OWASP 2023: at least 600,000). */
const passphraseIterations = 600_000

/** A CA's certificate with what is delivered beside it. */
export interface Bundle {
  readonly certificate: ParsedCertificate
  readonly pkcs8: Uint8Array
  /** Above this CA, without the root. */
  readonly above: readonly Uint8Array[]
  readonly trust: readonly Uint8Array[]
  readonly stage: Stage
  /** In the stages that have one. */
  readonly other?: OtherBundle | undefined
}

/** The next or the former CA. */
export interface OtherBundle {
  readonly name: OtherName
  readonly certificate: ParsedCertificate
  readonly pkcs8?: Uint8Array | undefined
  /** As that of the CA itself. */
  readonly above: readonly Uint8Array[]
}

/** The stored authority, under the parent's present chain and roots where they are known. */
export const bundleOf = ({ secret, parent }: Pick<Observed, 'secret' | 'parent'>): Bundle => {
  if (secret.state !== 'present' || secret.stored === undefined)
    throw new Error('there is no stored authority to write again')
  return bundleUnder(parent, secret.stored)
}

/** What is stored, under the parent's present chain and roots where they are known. */
export const bundleUnder = (parent: Observed['parent'], stored: StoredAuthority): Bundle => {
  const { certificate, pkcs8, stage, trust, other } = stored
  const material = parent?.state === 'usable' ? parent.material : undefined
  const aboveOf = ({ chain }: Pick<StoredAuthority, 'chain'>): readonly Uint8Array[] =>
    parent === undefined ? chain : (material?.chain ?? chain.slice(1))
  return {
    certificate,
    pkcs8,
    above: aboveOf(stored),
    trust: parent === undefined ? rootsOf(stage, certificate.der, other?.certificate.der) : (material?.trust ?? trust),
    stage,
    other: other && { ...other, above: aboveOf(other) },
  }
}

export const contentOf = async (
  { random }: Pick<Context, 'random'>,
  authority: CertificateAuthority,
  wanted: Pick<Wanted, 'secretName'>,
  bundle: Bundle,
  seen: Pick<Observed, 'secret' | 'passphrase'>,
): Promise<SecretContent> => {
  const { certificate, other } = bundle
  return {
    namespace: authority.metadata.namespace ?? 'default',
    name: wanted.secretName,
    type: 'kubernetes.io/tls',
    data: new Map([
      ...(await pairOf(random, 'tls', bundle, seen)),
      ['ca.crt', pems(bundle.trust)],
      ...(other === undefined ? [] : await pairOf(random, other.name, other, seen)),
    ]),
    labels: {},
    annotations: {
      [marks.private]: 'true',
      [marks.serialNumber]: certificate.serialNumber,
      [marks.rotationStage]: bundle.stage,
      ...triggerMark(authority, seen),
    },
    owner: `CertificateAuthority/${authority.metadata.name}`,
    // No owner reference: a CA deleted by mistake and applied again finds its key, and with it everything it signed.
    previous:
      seen.secret.state === 'present'
        ? { uid: seen.secret.uid, resourceVersion: seen.secret.resourceVersion }
        : undefined,
  }
}

/** A CA is born with what its spec asks for by then. */
const triggerMark = (
  { spec }: CertificateAuthority,
  { secret }: Pick<Observed, 'secret'>,
): Readonly<Record<string, string>> => {
  const trigger = secret.state === 'present' ? secret.trigger : spec.rotation?.trigger
  return trigger === undefined || trigger === '' ? {} : { [marks.rotationTrigger]: trigger }
}

const pems = (ders: readonly Uint8Array[]): Uint8Array => Buffer.from(encodeCertificates(ders))

/** `<name>.crt`, `<name>.key`. */
const pairOf = async (
  random: Context['random'],
  name: 'tls' | OtherName,
  { certificate, pkcs8, above }: Pick<OtherBundle, 'certificate' | 'pkcs8' | 'above'>,
  seen: Pick<Observed, 'passphrase'>,
): Promise<[string, Uint8Array][]> => [
  [`${name}.crt`, pems([certificate.der, ...above])],
  ...(pkcs8 === undefined ? [] : [[`${name}.key`, Buffer.from(await keyPem(random, pkcs8, seen))] as [string, Buffer]]),
]

const keyPem = async (
  random: Context['random'],
  pkcs8: Uint8Array,
  { passphrase }: Pick<Observed, 'passphrase'>,
): Promise<string> => {
  if (passphrase?.state !== 'found') return encodePem('PRIVATE KEY', pkcs8)
  const encrypted = await encryptPrivateKey(pkcs8, passphrase.value, {
    salt: random(16),
    iv: random(16),
    iterations: passphraseIterations,
  })
  return encodePem('ENCRYPTED PRIVATE KEY', encrypted)
}
