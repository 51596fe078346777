/**
 * The signers in memory: one non-extractable key a CA, loaded from the CA's Secret when it is first needed and again when
 * that Secret, its passphrase or the CA's reported certificate changes. Nobody else reads CA keys.
 */

import { keyOf } from '../cluster/port.ts'
import type { Caches, Context } from '../control/context.ts'
import { dataOf, readSecret, readText } from '../control/secrets.ts'
import type { ParsedCertificate } from '../pki/parse.ts'
import { createSigner, type Signer } from '../pki/signer.ts'
import { authoritySecretName, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { passphraseRefOf } from './names.ts'
import { type Passphrases, readStoredAuthority } from './stored.ts'
import { trustHash } from './trust.ts'

export interface AuthorityMaterial {
  readonly signer: Signer
  readonly certificate: ParsedCertificate
  /** DER, this CA first, without the root; empty when the CA is a root. */
  readonly chain: readonly Uint8Array[]
  /** DER roots. */
  readonly trust: readonly Uint8Array[]
  readonly trustHash: string
}

interface Slot {
  readonly version: string
  readonly material: Promise<AuthorityMaterial>
}

export class Keyring {
  readonly #context: Context
  readonly #slots = new Map<string, Slot>()

  constructor(context: Context) {
    this.#context = context
  }

  /**
   * The CA's signer and what is delivered with a leaf. Rejects with StoredAuthorityError when the Secret cannot be used,
   * and with an Error whose message is a sentence when it is missing or not the one that the CA reports.
   */
  async load(authority: CertificateAuthority): Promise<AuthorityMaterial> {
    const key = keyOf(authority)
    const version = this.#version(authority)
    const present = this.#slots.get(key)
    if (present?.version === version) return present.material
    const material = this.#read(authority)
    this.#slots.set(key, { version, material })
    // A failed load is tried again at the next call; only what worked is kept.
    material.catch(() => {
      if (this.#slots.get(key)?.material === material) this.#slots.delete(key)
    })
    return material
  }

  /** DER roots to trust because of this CA, of any source. Rejects as `load` does. */
  async trustOf(authority: CertificateAuthority): Promise<readonly Uint8Array[]> {
    return (await this.load(authority)).trust
  }

  forget(key: string): void {
    this.#slots.delete(key)
  }

  #version(authority: CertificateAuthority): string {
    const { namespace } = authority.metadata
    const { secrets } = this.#context.caches
    const versionOf = (name: string | undefined): string =>
      name === undefined ? '' : (secrets.store.get(`${namespace}/${name}`)?.metadata.resourceVersion ?? 'absent')
    return [
      authority.metadata.uid,
      authority.status?.certificate?.fingerprint,
      authority.status?.trustBundleHash,
      versionOf(authoritySecretName(authority)),
      versionOf(passphraseRefOf(authority)?.name),
    ].join(' ')
  }

  async #read(authority: CertificateAuthority): Promise<AuthorityMaterial> {
    const namespace = authority.metadata.namespace ?? 'default'
    const name = authoritySecretName(authority)
    const secret = await readSecret(this.#context.cluster, { namespace, name })
    if (secret === undefined) throw new Error(`its Secret "${name}" does not exist`)
    const stored = await readStoredAuthority(dataOf(secret), await this.passphrases(authority))
    if (stored.certificate.fingerprint !== authority.status?.certificate?.fingerprint)
      throw new Error(`its Secret "${name}" does not hold the certificate that the authority reports`)
    if (trustHash(stored.trust) !== authority.status.trustBundleHash)
      throw new Error(`its Secret "${name}" does not hold the roots that the authority reports`)
    const signer = await createSigner(this.#context.crypto, {
      pkcs8: stored.pkcs8,
      certificate: stored.certificate.der,
    })
    return {
      signer,
      certificate: stored.certificate,
      chain: stored.chain,
      trust: stored.trust,
      trustHash: trustHash(stored.trust),
    }
  }

  async passphrases(authority: CertificateAuthority): Promise<Passphrases> {
    const reference = passphraseRefOf(authority)
    if (reference === undefined) return {}
    const text = await readText(
      this.#context.cluster,
      authority.metadata.namespace ?? 'default',
      reference,
      'spec.privateKey.passphraseSecretRef',
    )
    return text.state === 'found' ? { current: text.value, previous: text.previous } : {}
  }
}

/** For `refusal`: labels of a namespace, null for an unknown one, undefined where namespaces cannot be seen. */
export const labelsOfNamespace =
  ({ namespaces }: Caches) =>
  (name: string): Readonly<Record<string, string>> | null | undefined => {
    if (namespaces === undefined) return undefined
    const found = namespaces.store.get(name)
    return found === undefined ? null : (found.metadata.labels ?? {})
  }
