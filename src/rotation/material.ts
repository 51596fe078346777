/** What the Secret of a CA holds, read live, and again when it, its passphrase or the CA above changes. No key is kept. */

import type { Material, Rotator } from '../authority/rotate.ts'
import { isBrought, keySecretOf, parentOf, passphraseRefOf } from '../authority/names.ts'
import { keyOf } from '../cluster/port.ts'
import { type Context, marks } from '../control/context.ts'
import { findEntry } from '../ledger/record.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { authoritySecretName, type CertificateAuthority } from '../resources/certificate-authority.ts'

type Caches = Pick<Context, 'caches'>

export class Materials {
  readonly #context: Caches
  readonly #rotator: Pick<Rotator, 'look'>
  readonly #known = new Map<string, { readonly version: string; readonly material: Material }>()

  constructor(context: Caches, rotator: Pick<Rotator, 'look'>) {
    this.#context = context
    this.#rotator = rotator
  }

  /** Rejects as Rotator does. */
  async see(authority: CertificateAuthority, signal: AbortSignal): Promise<Material> {
    const key = keyOf(authority)
    const version = versionOf(this.#context, authority)
    const known = this.#known.get(key)
    if (known?.version === version) return known.material
    const material = await this.#rotator.look(authority, signal)
    this.#known.set(key, { version, material })
    return material
  }

  forget(key: string): void {
    this.#known.delete(key)
  }
}

/** Of everything that a look at it is made from, as the caches have it. */
const versionOf = ({ caches }: Caches, authority: CertificateAuthority): string => {
  const { uid, generation, namespace } = authority.metadata
  const secrets = [authoritySecretName(authority), passphraseRefOf(authority)?.name].map((name) => {
    const found = name === undefined ? undefined : caches.secrets.store.get(`${namespace}/${name}`)
    return `${found?.metadata.uid} ${found?.metadata.resourceVersion}`
  })
  const above = parentOf(authority)
  const parent = above && caches.authorities.store.get(`${above.namespace}/${above.name}`)?.status
  const { certificate, trustBundleHash, observed } = authority.status ?? {}
  return JSON.stringify([
    ...[uid, generation, secrets, parent?.certificate?.fingerprint, parent?.trustBundleHash],
    ...[certificate?.fingerprint, trustBundleHash, observed?.secretResourceVersion],
  ])
}

/** As the cache shows it: whether no rotation has left anything there. */
export const isPlain = ({ caches }: Caches, authority: CertificateAuthority): boolean => {
  const name = keySecretOf(authority)
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
  const { namespace = 'default', name } = authority.metadata
  const entry = findEntry(caches, parentOf(authority) ?? { namespace, name }, serialNumber)
  return notAfter > now && entry?.revocation === undefined
}

/** One that was brought along has its key from its owner. */
export const canRotate = (authority: CertificateAuthority): boolean => !isBrought(authority)
