/** Issues one leaf: a key, a plan, a signature, the check of what came out. Nothing is written here. */

import { publishedUrls } from '../authority/published.ts'
import type { Context } from '../control/context.ts'
import { issueCertificate } from '../pki/certificates/certificate.ts'
import { isCompromisedKey } from '../ledger/record.ts'
import { generateKeyPair, spkiOf } from '../pki/keys/keys.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import { leafPlan, serialNumber } from '../pki/certificates/plans.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { Terminal } from '../runtime/errors.ts'
import { isCompromised } from './decide.ts'
import { lifetimeOf, violationsOfCertificate } from './judge.ts'
import type { Observed, UsableAuthority } from './observed.ts'
import { sharersOfKey } from './rivals.ts'
import type { Wanted } from './wanted.ts'

export interface Issued {
  readonly certificate: ParsedCertificate
  /** PKCS#8; undefined where the key was made elsewhere. */
  readonly privateKey: Uint8Array | undefined
}

/** Rejects with Terminal where the finished certificate is not one that the CA may sign. */
export const issueLeaf = async (
  { clock, crypto, random }: Context,
  wanted: Wanted,
  authority: UsableAuthority,
  reusedKey: Uint8Array | undefined,
): Promise<Issued> => {
  const { signer } = authority.material
  const pair = await keyOf(crypto, wanted, reusedKey)
  const plan = leafPlan({
    signer,
    subject: wanted.subject,
    names: wanted.names,
    keyUsage: wanted.keyUsage,
    extendedKeyUsage: wanted.extendedKeyUsage,
    spki: pair.spki,
    duration: lifetimeOf(wanted, authority.policy?.rules),
    now: clock.now(),
    serialNumber: serialNumber(random(16)),
    ...publishedUrls(authority.published, signer.subjectKeyId),
  })
  const certificate = await issueCertificate(plan, signer)
  refuseUnfit(authority, certificate)
  return { certificate, privateKey: pair.pkcs8 }
}

const keyOf = async (
  crypto: Context['crypto'],
  { keyAlgorithm, request }: Wanted,
  reusedKey: Uint8Array | undefined,
): Promise<{ readonly spki: Uint8Array; readonly pkcs8: Uint8Array | undefined }> => {
  if (request !== undefined) return { spki: request.spki, pkcs8: undefined }
  return reusedKey === undefined ? generateKeyPair(crypto, keyAlgorithm) : { pkcs8: reusedKey, spki: spkiOf(reusedKey) }
}

/** What the ledger takes (`IssuedCertificate.spec.certificate`), in characters of PEM. */
const maxPemCharacters = 65536

/** The last look before a certificate leaves memory. */
export const refuseUnfit = (authority: UsableAuthority, certificate: ParsedCertificate): void => {
  const [first, ...others] = violationsOfCertificate(authority, certificate)
  if (first !== undefined) throw new Terminal(first.reason, [first, ...others].map(({ message }) => message).join(' '))
  const { length } = encodePem('CERTIFICATE', certificate.der)
  if (length > maxPemCharacters)
    throw new Terminal(
      'RequestInvalid',
      `The certificate would have ${length} characters of PEM, and the ledger keeps at most ${maxPemCharacters}; ask for fewer names.`,
    )
}

/** The key in the Secret, where it may be used once more: not one that others have, or have come to know. */
export const reusableKey = (
  context: Context,
  certificate: DatabaseCertificate,
  { secret, entry }: Observed,
  wanted: Wanted,
): Uint8Array | undefined => {
  if (!wanted.reuseKey || secret.state !== 'present' || secret.leaf === undefined || isCompromised(entry))
    return undefined
  const ledgers = [wanted.authority.namespace, certificate.metadata.namespace]
  if (isCompromisedKey(context.caches, ledgers, secret.leaf.spki)) return undefined
  if (!sameKey(secret.keyAlgorithm, wanted)) return undefined
  return sharersOfKey(context, certificate, secret.leaf.spki).length > 0 ? undefined : secret.privateKey
}

const sameKey = (is: Wanted['keyAlgorithm'] | undefined, { keyAlgorithm: should }: Wanted): boolean =>
  is !== undefined &&
  is.algorithm === should.algorithm &&
  ('size' in is ? is.size : 0) === ('size' in should ? should.size : 0)
