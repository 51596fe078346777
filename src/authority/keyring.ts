/**
 * The signers in memory: one non-extractable key a CA, loaded from the CA's Secret when it is first needed and again when
 * that Secret, its passphrase or the CA's reported certificate changes. Nobody else reads CA keys.
 */

import { keyOf } from '../cluster/port.ts'
import type { Caches, Context } from '../control/context.ts'
import { dataOf, readSecret, readText } from '../control/secrets.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { createSigner, type Signer } from '../pki/certificates/signer.ts'
import { authoritySecretName, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { readBrought } from './brought.ts'
import { isBrought, keySecretOf, passphraseFieldOf, passphraseRefOf } from './names.ts'
import { type Passphrases, readStoredAuthority, type StoredAuthority } from './stored.ts'
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
    if (authority.spec.source.trustOnly === undefined) return (await this.load(authority)).trust
    const seen = await readBrought(this.#context, authority)
    if (seen.state !== 'trust')
      throw new Error(seen.state === 'refused' ? clause(seen.message) : 'it is no bundle of trust')
    const { trust } = seen.bundle
    if (trustHash(trust) !== authority.status?.trustBundleHash)
      throw new Error('its source does not hold the roots that the authority reports')
    return trust
  }

  /**
   * PKCS #8 of the CA's own key, for whoever may have it (`spec.allowKeyExport`; asked by the caller). Read anew and never
   * kept. Rejects as `load` does.
   */
  async exportKey(authority: CertificateAuthority): Promise<Uint8Array> {
    const { certificate, pkcs8 } = await this.#stored(authority)
    if (certificate.fingerprint !== authority.status?.certificate?.fingerprint)
      throw new Error('its Secret does not hold the certificate that the authority reports')
    return pkcs8
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
      versionOf(keySecretOf(authority)),
      versionOf(passphraseRefOf(authority)?.name),
    ].join(' ')
  }

  async #read(authority: CertificateAuthority): Promise<AuthorityMaterial> {
    const { certificate, pkcs8, chain, trust } = await this.#stored(authority)
    const name = keySecretOf(authority)
    if (certificate.fingerprint !== authority.status?.certificate?.fingerprint)
      throw new Error(`its Secret "${name}" does not hold the certificate that the authority reports`)
    if (trustHash(trust) !== authority.status.trustBundleHash)
      throw new Error(`its Secret "${name}" does not hold the roots that the authority reports`)
    // The root that this CA hangs under is the first of the roots.
    const above = chain.length === 0 ? [] : [...chain.slice(1), ...trust.slice(0, 1)]
    const signer = await createSigner(this.#context.crypto, { pkcs8, certificate: certificate.der, chain: above })
    return { signer, certificate, chain, trust, trustHash: trustHash(trust) }
  }

  async #stored(
    authority: CertificateAuthority,
  ): Promise<Pick<StoredAuthority, 'certificate' | 'pkcs8' | 'chain' | 'trust'>> {
    if (isBrought(authority)) {
      const seen = await readBrought(this.#context, authority)
      if (seen.state === 'authority') return seen.imported
      throw new Error(seen.state === 'refused' ? clause(seen.message) : 'it is a trust anchor alone and signs nothing')
    }
    const name = authoritySecretName(authority)
    const secret = await readSecret(this.#context.cluster, {
      namespace: authority.metadata.namespace ?? 'default',
      name,
    })
    if (secret === undefined) throw new Error(`its Secret "${name}" does not exist`)
    return readStoredAuthority(dataOf(secret), await this.passphrases(authority))
  }

  async passphrases(authority: CertificateAuthority): Promise<Passphrases> {
    const reference = passphraseRefOf(authority)
    if (reference === undefined) return {}
    const text = await readText(
      this.#context.cluster,
      authority.metadata.namespace ?? 'default',
      reference,
      passphraseFieldOf(authority),
    )
    return text.state === 'found' ? { current: text.value, previous: text.previous } : {}
  }
}

/** Messages of `load` end up within a sentence. */
const clause = (sentences: string): string => sentences.replace(/\.$/, '')

/** For `refusal`: labels of a namespace, null for an unknown one, undefined where namespaces cannot be seen. */
export const labelsOfNamespace =
  ({ namespaces }: Caches) =>
  (name: string): Readonly<Record<string, string>> | null | undefined => {
    if (namespaces === undefined) return undefined
    const found = namespaces.store.get(name)
    return found === undefined ? null : (found.metadata.labels ?? {})
  }
