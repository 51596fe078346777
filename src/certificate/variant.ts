/**
 * What a Secret holds of its authority. While one CA takes the place of another there are two answers: a certificate that the
 * former one has signed is delivered with that one's chain, and with the same roots in its order, until it is replaced. Pure.
 */

import type { AuthorityMaterial } from '../authority/keyring.ts'
import type { OutputItem } from '../material/contents.ts'
import { exportsKey } from './key-export.ts'
import { type Observed, usable } from './observed.ts'

export interface Variant extends Pick<AuthorityMaterial, 'certificate' | 'chain' | 'trust' | 'trustHash'> {
  /** Fingerprint of the CA certificate that the leaf hangs under. */
  readonly signedBy: string
}

/** Of what is signed now. */
export const presentVariant = (material: AuthorityMaterial): Variant => ({
  ...material,
  signedBy: material.certificate.fingerprint,
})

const formerVariant = (material: AuthorityMaterial, items: readonly OutputItem[]): Variant => {
  const { former } = material
  if (former === undefined) throw new Error('there is no former authority')
  const signedBy = former.certificate.fingerprint
  if (!exportsKey(items)) return { ...former, signedBy }
  // The key that lies beside is that of the present CA, and consumers take the first root for its certificate.
  const { certificate, trust, trustHash } = material
  return { certificate, chain: former.chain, trust, trustHash, signedBy }
}

/** Of what the Secret holds, which `waits` says is of the former CA. */
export const variantOf = (material: AuthorityMaterial, waits: boolean, items: readonly OutputItem[]): Variant =>
  waits ? formerVariant(material, items) : presentVariant(material)

/** Of what the Secret holds and keeps. */
export const standingVariant = (seen: Observed): Variant => {
  const { wanted, authority } = usable(seen)
  const waits = seen.secret.state === 'present' && seen.secret.waits
  return variantOf(authority.material, waits, wanted.secret.items)
}
