/** Issues one leaf: a key, a plan, a signature, the check of what came out. Nothing is written here. */

import type { AuthorityMaterial } from '../authority/keyring.ts'
import type { Context } from '../control/context.ts'
import { issueCertificate } from '../pki/certificate.ts'
import { generateKeyPair, spkiOf } from '../pki/keys.ts'
import { parseCertificate, type ParsedCertificate } from '../pki/parse.ts'
import { leafPlan, serialNumber } from '../pki/plans.ts'
import type { Wanted } from './wanted.ts'

export interface Issued {
  readonly certificate: ParsedCertificate
  /** PKCS#8. */
  readonly privateKey: Uint8Array
}

export const issueLeaf = async (
  { clock, crypto, random }: Context,
  wanted: Wanted,
  authority: AuthorityMaterial,
  reusedKey: Uint8Array | undefined,
): Promise<Issued> => {
  const pair =
    reusedKey === undefined
      ? await generateKeyPair(crypto, wanted.keyAlgorithm)
      : { pkcs8: reusedKey, spki: spkiOf(reusedKey) }
  const plan = leafPlan({
    signer: authority.signer,
    subject: wanted.subject,
    names: wanted.names,
    keyUsage: wanted.keyUsage,
    extendedKeyUsage: wanted.extendedKeyUsage,
    spki: pair.spki,
    duration: wanted.duration,
    now: clock.now(),
    serialNumber: serialNumber(random(16)),
  })
  return { certificate: parseCertificate(await issueCertificate(plan, authority.signer)), privateKey: pair.pkcs8 }
}
