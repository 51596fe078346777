/**
 * What a server is offered to find out whom it trusts, beside a client's own certificate: one of a stranger, so that a server that
 * takes anybody is told from one that trusts our CA, and, for the next CA of a rotation, three of one template, signed here and good
 * for an hour, that differ in nothing but their issuer. The template is a certificate of the profile, with its subject and names,
 * so that what a server demands of an identity is met by all three or by none.
 *
 * Nobody but this process ever has their key: a server that is shown such a certificate can do nothing with it.
 */

import type { webcrypto } from 'node:crypto'
import type { AuthorityMaterial, Keyring } from '../../authority/keyring.ts'
import type { Context } from '../../control/context.ts'
import type { ClientCertificate } from '../../database/connect/sight.ts'
import type { Offers } from '../../database/connect/prove.ts'
import { issueCertificate } from '../../pki/certificates/certificate.ts'
import { parseCertificate } from '../../pki/certificates/parse.ts'
import { authorityPlan, leafPlan, serialNumber } from '../../pki/certificates/plans.ts'
import { createSigner, selfSigner, type Signer } from '../../pki/certificates/signer.ts'
import { encodeCertificates, encodePem } from '../../pki/encoding/pem.ts'
import { algorithmOfSpki, generateKeyPair, type KeyPair } from '../../pki/keys/keys.ts'
import { distinguishedName } from '../../pki/names/names.ts'
import type { ExtendedKeyUsage, GeneralName, KeyAlgorithm } from '../../pki/plan.ts'
import type { Instant } from '../../runtime/clock.ts'
import { recoverDelivered } from './client.ts'
import type { PlannedProof } from './plan.ts'

/** Long enough for one round of questions, on clocks that differ a little. */
const lifetimeMs = 60 * 60_000
/** RSA takes long to make, and every server that takes it takes this as well. */
const usualKey: KeyAlgorithm = { algorithm: 'ECDSA', size: 256 }

export interface Means {
  readonly crypto: webcrypto.Crypto
  readonly random: (size: number) => Uint8Array
  readonly now: Instant
}

/** What all offers have in common. */
export interface Template {
  /** DER Name. */
  readonly subject: Uint8Array
  readonly names: readonly GeneralName[]
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[]
  readonly key: KeyPair
}

interface Issuer {
  readonly signer: Signer
  /** DER, without the root. */
  readonly chain: readonly Uint8Array[]
}

/** Rejects with a sentence where the CA cannot sign them. `template`: `namespace/name` of a DatabaseCertificate, see PlannedProof. */
export const offersFor = async (
  context: Context,
  keyring: Keyring,
  { authority: key, to }: Pick<PlannedProof, 'authority' | 'to'>,
  template: string | undefined,
  signal: AbortSignal,
): Promise<Offers> => {
  const authority = context.caches.authorities.store.get(key)
  if (authority === undefined) throw new Error(`CertificateAuthority "${key}" does not exist`)
  const material = await keyring.load(authority)
  const next = issuerOf(material, to)
  const means = { crypto: context.crypto, random: context.random, now: context.clock.now() }
  const common = await readTemplate(context, template, signal)
  return signOffers({ current: material, next }, common, means)
}

/** The CA that will sign, or that signs already. */
const issuerOf = ({ certificate, signer, chain, next }: AuthorityMaterial, to: string): Issuer => {
  if (certificate.fingerprint === to) return { signer, chain }
  if (next?.certificate.fingerprint === to) return next
  throw new Error('its Secret does not hold the next CA that the authority reports')
}

export const signOffers = async (
  { current, next }: { readonly current: Issuer; readonly next: Issuer },
  template: Template,
  means: Means,
): Promise<Offers> => {
  const [Current, Next, Stranger] = await Promise.all([
    sign(current, template, means),
    sign(next, template, means),
    strangerLike(next.signer.subject, template, means),
  ])
  return { Current, Next, Stranger }
}

/** Of a CA of this name that nobody knows. */
export const strangerLike = async (
  issuer: Uint8Array,
  template: Template,
  means: Means,
): Promise<ClientCertificate> => {
  const { crypto, random, now } = means
  const root = await generateKeyPair(crypto, usualKey)
  const self = await selfSigner(crypto, { pkcs8: root.pkcs8, subject: issuer })
  const plan = authorityPlan({
    ...{ signer: self, selfSigned: true, subject: issuer, spki: root.spki, duration: lifetimeMs, now },
    serialNumber: serialNumber(random(16)),
  })
  const certificate = (await issueCertificate(plan, self)).der
  const signer = await createSigner(crypto, { pkcs8: root.pkcs8, certificate })
  return sign({ signer, chain: [] }, template, means)
}

const sign = async (
  { signer, chain }: Issuer,
  { subject, names, extendedKeyUsage, key }: Template,
  { random, now }: Means,
): Promise<ClientCertificate> => {
  const plan = leafPlan({
    ...{ signer, subject, names, spki: key.spki, duration: lifetimeMs, now, extendedKeyUsage },
    keyUsage: ['digitalSignature'],
    serialNumber: serialNumber(random(16)),
  })
  const { der } = await issueCertificate(plan, signer)
  return {
    chain: encodeCertificates([der, ...chain]),
    key: encodePem('PRIVATE KEY', key.pkcs8),
  }
}

/** Like a certificate in all but the key that signed it: of a CA of the same name that nobody knows. */
export const strangerTo = async ({ leaf }: { readonly leaf: Uint8Array }, means: Means): Promise<ClientCertificate> =>
  strangerLike(parseCertificate(leaf).issuer, await templateOf(leaf, means), means)

/** `certificate`: DER. */
export const templateOf = async (certificate: Uint8Array, { crypto }: Pick<Means, 'crypto'>): Promise<Template> => {
  const { subject, subjectAlternativeNames, extendedKeyUsage, spki } = parseCertificate(certificate)
  const algorithm = algorithmOfSpki(spki)
  return {
    subject,
    names: subjectAlternativeNames,
    // One that its peers know as server and client is shown as such.
    extendedKeyUsage: extendedKeyUsage.includes('serverAuth') ? ['serverAuth', 'clientAuth'] : ['clientAuth'],
    key: await generateKeyPair(crypto, algorithm === undefined || algorithm.algorithm === 'RSA' ? usualKey : algorithm),
  }
}

const readTemplate = async (
  { caches, cluster, crypto }: Context,
  name: string | undefined,
  signal: AbortSignal,
): Promise<Template> => {
  const wanted = name === undefined ? undefined : caches.certificates.store.get(name)
  const found = wanted && (await recoverDelivered(cluster, wanted, signal))
  // Whoever may write the Secret must not choose the names that a CA signs.
  const isIssued =
    found?.certificate !== undefined && parseCertificate(found.certificate).fingerprint === wanted?.status?.fingerprint
  if (found?.certificate !== undefined && isIssued) return templateOf(found.certificate, { crypto })
  const key = await generateKeyPair(crypto, usualKey)
  return { subject: distinguishedName({ commonName: 'dbtls-probe' }), names: [], extendedKeyUsage: ['clientAuth'], key }
}
