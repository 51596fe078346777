/** What the Secret of a CA holds, read live, and again when it, its passphrase or the CA above changes. No key is kept. */

import {
  configMapsOf,
  isBrought,
  isBundle,
  keySecretOf,
  parentOf,
  recordSecretOf,
  secretsOf,
  signerOf,
} from '../authority/names.ts'
import { isFinal, isRevokedFor } from '../authority/revoked.ts'
import type { Material } from '../authority/rotate.ts'
import type { BroughtMaterial } from '../authority/rotate-brought.ts'
import type { BundleMaterial } from '../authority/rotate-bundle.ts'
import { keyOf } from '../cluster/port.ts'
import { type Context, marks } from '../control/context.ts'
import { findEntry } from '../ledger/record.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'

type Caches = Pick<Context, 'caches'>
export type Seen = Material | BroughtMaterial | BundleMaterial
type Look = (authority: CertificateAuthority, signal: AbortSignal) => Promise<Seen>

export class Materials {
  readonly #context: Caches
  readonly #look: Look
  readonly #known = new Map<string, { readonly version: string; readonly material: Seen }>()

  /** `look`: of the rotator whose CA it is. */
  constructor(context: Caches, look: Look) {
    this.#context = context
    this.#look = look
  }

  /** Rejects as a rotator does. */
  async see(authority: CertificateAuthority, signal: AbortSignal): Promise<Seen> {
    const known = this.known(authority)
    if (known !== undefined) return known
    const version = versionOf(this.#context, authority)
    const material = await this.#look(authority, signal)
    this.#known.set(keyOf(authority), { version, material })
    return material
  }

  /** What a look would find, as far as the caches can tell. */
  known(authority: CertificateAuthority): Seen | undefined {
    const known = this.#known.get(keyOf(authority))
    return known?.version === versionOf(this.#context, authority) ? known.material : undefined
  }

  forget(key: string): void {
    this.#known.delete(key)
  }
}

/** Of everything that a look at it is made from, as the caches have it. */
const versionOf = ({ caches }: Caches, authority: CertificateAuthority): string => {
  const { uid, generation, namespace } = authority.metadata
  const versionIn = ({ store }: Context['caches']['secrets'], name: string): string => {
    const found = store.get(`${namespace}/${name}`)
    return `${found?.metadata.uid} ${found?.metadata.resourceVersion}`
  }
  const secrets = secretsOf(authority).map((name) => versionIn(caches.secrets, name))
  const sources = configMapsOf(authority).map((name) => versionIn(caches.configMaps, name))
  const above = parentOf(authority)
  const parent = above && caches.authorities.store.get(`${above.namespace}/${above.name}`)?.status
  const { certificate, trustBundleHash, observed } = authority.status ?? {}
  return JSON.stringify([
    ...[uid, generation, secrets, sources, parent?.certificate?.fingerprint, parent?.trustBundleHash],
    ...[certificate?.fingerprint, trustBundleHash, observed?.secretResourceVersion],
  ])
}

/** As the cache shows it: whether no rotation has left anything there. */
export const isPlain = ({ caches }: Caches, authority: CertificateAuthority): boolean => {
  const name = isBrought(authority) ? recordSecretOf(authority) : keySecretOf(authority)
  const secret = name === undefined ? undefined : caches.secrets.store.get(`${authority.metadata.namespace}/${name}`)
  return (secret?.metadata.annotations?.[marks.rotationStage] ?? 'Plain') === 'Plain'
}

/** Whether the other CA can sign in the place of the one that does. */
export const isUsable = (
  { caches }: Caches,
  authority: CertificateAuthority,
  { serialNumber, notAfter }: Pick<ParsedCertificate, 'serialNumber' | 'notAfter'>,
  now: number,
): boolean => {
  const entry = findEntry(caches, signerOf(authority), serialNumber)
  return notAfter > now && entry?.revocation === undefined
}

/** For good; a hold may be taken back. */
export const isRevoked = (
  { caches }: Caches,
  authority: CertificateAuthority,
  { serialNumber }: Pick<ParsedCertificate, 'serialNumber'>,
): boolean => isFinal(isRevokedFor(caches, authority, serialNumber))

/** Whether it is known what it is: a CA that has a certificate, or a bundle that is trusted. */
export const isKnown = (authority: CertificateAuthority): boolean => {
  const { certificate, trustBundleHash } = authority.status ?? {}
  return (isBundle(authority) ? trustBundleHash : certificate) !== undefined
}
