/** From a CA's certificate and key to the contents of its Secret. */

import { type Context, marks } from '../control/context.ts'
import type { SecretContent } from '../control/write-secret.ts'
import { encryptPrivateKey } from '../pki/keys/keys.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Observed } from './observed.ts'
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
}

/** The stored authority, under the parent's present chain and roots where they are known. */
export const bundleOf = ({ secret, parent }: Observed): Bundle => {
  if (secret.state !== 'present' || secret.stored === undefined)
    throw new Error('there is no stored authority to write again')
  const { certificate, pkcs8, chain, trust } = secret.stored
  if (parent === undefined) return { certificate, pkcs8, above: [], trust: [certificate.der] }
  const material = parent.state === 'usable' ? parent.material : undefined
  return { certificate, pkcs8, above: material?.chain ?? chain.slice(1), trust: material?.trust ?? trust }
}

export const contentOf = async (
  { random }: Pick<Context, 'random'>,
  authority: CertificateAuthority,
  wanted: Wanted,
  bundle: Bundle,
  seen: Observed,
): Promise<SecretContent> => {
  const root = bundle.trust.some((der) => Buffer.from(der).equals(bundle.certificate.der))
  const chain = root ? [bundle.certificate.der] : [bundle.certificate.der, ...bundle.above]
  const pems = (ders: readonly Uint8Array[]): Uint8Array =>
    Buffer.from(ders.map((der) => encodePem('CERTIFICATE', der)).join(''))
  return {
    namespace: authority.metadata.namespace ?? 'default',
    name: wanted.secretName,
    type: 'kubernetes.io/tls',
    data: new Map([
      ['tls.crt', pems(chain)],
      ['tls.key', Buffer.from(await keyPem(random, bundle.pkcs8, seen))],
      ['ca.crt', pems(bundle.trust)],
    ]),
    labels: {},
    annotations: { [marks.private]: 'true', [marks.serialNumber]: bundle.certificate.serialNumber },
    owner: `CertificateAuthority/${authority.metadata.name}`,
    // No owner reference: a CA deleted by mistake and applied again finds its key, and with it everything it signed.
    previous:
      seen.secret.state === 'present'
        ? { uid: seen.secret.uid, resourceVersion: seen.secret.resourceVersion }
        : undefined,
  }
}

const keyPem = async (random: Context['random'], pkcs8: Uint8Array, { passphrase }: Observed): Promise<string> => {
  if (passphrase?.state !== 'found') return encodePem('PRIVATE KEY', pkcs8)
  const encrypted = await encryptPrivateKey(pkcs8, passphrase.value, {
    salt: random(16),
    iv: random(16),
    iterations: passphraseIterations,
  })
  return encodePem('ENCRYPTED PRIVATE KEY', encrypted)
}
