/**
 * The client certificate that a server is shown: that of a client of the profile, read from its Secret for one look and dropped
 * after it, and beside it that of a stranger, so that a server that takes anybody is told from one that trusts our CA.
 */

import type { webcrypto } from 'node:crypto'
import type { Keyring } from '../../authority/keyring.ts'
import { type Context, marks } from '../../control/context.ts'
import { dataOf, readSecret } from '../../control/secrets.ts'
import type { ClientCertificate } from '../../database/connect/probe.ts'
import { shapedItems } from '../../database/layouts/shape.ts'
import { recoverMaterial } from '../../material/recover.ts'
import { issueCertificate } from '../../pki/certificates/certificate.ts'
import { parseCertificate } from '../../pki/certificates/parse.ts'
import { authorityPlan, leafPlan, serialNumber } from '../../pki/certificates/plans.ts'
import { createSigner, selfSigner } from '../../pki/certificates/signer.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import { algorithmOfSpki, generateKeyPair } from '../../pki/keys/keys.ts'
import type { KeyAlgorithm } from '../../pki/plan.ts'
import type { Instant } from '../../runtime/clock.ts'

export interface ClientMaterial extends ClientCertificate {
  /** DER. */
  readonly leaf: Uint8Array
}

/** `key`: of the client's DatabaseCertificate. Undefined where there is nothing (yet) that could be shown. */
export const readClient = async (
  { caches, cluster }: Pick<Context, 'caches' | 'cluster'>,
  keyring: Keyring,
  key: string,
  signal: AbortSignal,
): Promise<ClientMaterial | undefined> => {
  const certificate = caches.certificates.store.get(key)
  if (certificate?.metadata.namespace === undefined) return undefined
  const { spec, metadata } = certificate
  const secret = await readSecret(cluster, { namespace: metadata.namespace ?? '', name: spec.secret.name }, signal)
  // A Secret of that name may be somebody else's: then the certificate is Stalled, and nothing in it is shown.
  if (secret?.metadata.annotations?.[marks.owner] !== `DatabaseCertificate/${metadata.name}`) return undefined
  const found = await recoverMaterial(shapedItems(spec), dataOf(secret))
  if (found.certificate === undefined || found.privateKey === undefined) return undefined
  const { namespace = metadata.namespace, name } = spec.authorityRef
  const above = await chainOf(caches, keyring, `${namespace}/${name}`)
  return {
    leaf: found.certificate,
    chain: [found.certificate, ...above].map((der) => encodePem('CERTIFICATE', der)).join(''),
    key: encodePem('PRIVATE KEY', found.privateKey),
  }
}

/** What stands between a leaf and its root; servers know the root alone. */
const chainOf = async (
  caches: Context['caches'],
  keyring: Keyring,
  authorityKey: string,
): Promise<readonly Uint8Array[]> => {
  const authority = caches.authorities.store.get(authorityKey)
  if (authority === undefined || authority.spec.source.trustOnly !== undefined) return []
  return keyring.load(authority).then(
    ({ chain }) => chain,
    // Then the CA's own conditions say what is wrong with it.
    () => [],
  )
}

/** Long enough for one round of questions, on clocks that differ a little. */
const lifetimeMs = 60 * 60_000

export interface StrangerOptions {
  readonly crypto: webcrypto.Crypto
  readonly random: (size: number) => Uint8Array
  readonly now: Instant
}

/** Like the client's certificate in all but the key that signed it: a CA of the same name that nobody knows. */
export const strangerTo = async (
  { leaf }: Pick<ClientMaterial, 'leaf'>,
  { crypto, random, now }: StrangerOptions,
): Promise<ClientCertificate> => {
  const model = parseCertificate(leaf)
  const algorithm: KeyAlgorithm = { algorithm: 'ECDSA', size: 256 }
  const [root, own] = await Promise.all([
    generateKeyPair(crypto, algorithm),
    // RSA takes long to make, and every server that takes it takes this as well.
    generateKeyPair(
      crypto,
      algorithmOfSpki(model.spki)?.algorithm === 'Ed25519' ? { algorithm: 'Ed25519' } : algorithm,
    ),
  ])
  const self = await selfSigner(crypto, { pkcs8: root.pkcs8, subject: model.issuer })
  const lifetime = { duration: lifetimeMs, now }
  const authority = authorityPlan({
    ...{ signer: self, selfSigned: true, subject: model.issuer, spki: root.spki, ...lifetime },
    serialNumber: serialNumber(random(16)),
  })
  const certificate = (await issueCertificate(authority, self)).der
  const signer = await createSigner(crypto, { pkcs8: root.pkcs8, certificate })
  const plan = leafPlan({
    ...{ signer, subject: model.subject, spki: own.spki, ...lifetime },
    names: model.subjectAlternativeNames,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['clientAuth'],
    serialNumber: serialNumber(random(16)),
  })
  const { der } = await issueCertificate(plan, signer)
  return { chain: encodePem('CERTIFICATE', der), key: encodePem('PRIVATE KEY', own.pkcs8) }
}
