/**
 * The signers in memory: one non-extractable key a CA, loaded from the CA's Secret when it is first needed and again when
 * that Secret, its passphrase or the CA's reported certificate changes. Nobody else reads CA keys.
 */

import { keyOf } from '../cluster/port.ts'
import { type Caches, type Context, marks } from '../control/context.ts'
import { dataOf, readSecret, readText } from '../control/secrets.ts'
import { equal, parseCertificate, type ParsedCertificate } from '../pki/certificates/parse.ts'
import { createSigner, keylessSigner, type Signer } from '../pki/certificates/signer.ts'
import { authoritySecretName, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { seeBrought, storedOf } from './brought-seen.ts'
import { hashOfRoots, publishedRoots } from './bundle-record.ts'
import { seeBundle } from './bundle-seen.ts'
import { isBrought, isBundle, keySecretOf, passphraseFieldOf, passphraseRefOf, recordSecretOf } from './names.ts'
import { refuseUnrecorded } from './recorded.ts'
import { isGivenUp, isRevokedFor } from './revoked.ts'
import { formerTrust } from './stage.ts'
import {
  isSelfSigned,
  type Passphrases,
  readStoredAuthority,
  type StoredAuthority,
  type StoredOther,
} from './stored.ts'
import { trustHash } from './trust.ts'

export interface AuthorityMaterial {
  readonly signer: Signer
  readonly certificate: ParsedCertificate
  /** DER, this CA first, without the root; empty when the CA is a root. */
  readonly chain: readonly Uint8Array[]
  /** DER roots. */
  readonly trust: readonly Uint8Array[]
  readonly trustHash: string
  /** The owner of a CA that was brought along has taken its key away: nothing is signed by it. */
  readonly keyless?: true
  /** It was revoked, and another one is about to sign: its key makes its own revocation list, and nothing else. */
  readonly givenUp?: true
  /** It signs in the place of one that is keyless or given up, before the switch. */
  readonly early?: true
  /** From the switch to the end of a rotation: the CA that signed before. Signs nothing but its own revocation list. */
  readonly former?: FormerMaterial
  /** Before the switch: the CA that will sign. Signs nothing but the certificates that probes offer for a moment. */
  readonly next?: OtherMaterial & { readonly signer: Signer }
}

interface OtherMaterial {
  readonly certificate: ParsedCertificate
  /** DER, as that of the CA. */
  readonly chain: readonly Uint8Array[]
  /** Undefined where only its certificate is left. */
  readonly signer: Signer | undefined
}

export interface FormerMaterial extends OtherMaterial {
  /** DER roots in the order in which its certificates are delivered with them: its own first. */
  readonly trust: readonly Uint8Array[]
  readonly trustHash: string
}

/** The key is missing where its owner has taken it away. */
type Stored = Pick<StoredAuthority, 'certificate' | 'chain' | 'trust' | 'other'> & {
  readonly pkcs8: Uint8Array | undefined
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
    if (!isBundle(authority)) return (await this.load(authority)).trust
    const { given, recorded } = await seeBundle(this.#context, authority)
    if (recorded.state !== 'found' && given.state === 'refused') throw new Error(clause(given.message))
    const now = this.#context.clock.now()
    const trust =
      recorded.state === 'found'
        ? publishedRoots(recorded.record, now).map(({ der }) => der)
        : given.state === 'trust'
          ? given.bundle.trust
          : []
    if (trustHash(trust) !== authority.status?.trustBundleHash)
      throw new Error('its source does not hold the roots that the authority reports')
    return trust
  }

  /** Those of them that stay when what is on its way out of a bundle is gone. Rejects as `load` does. */
  async remainingOf(authority: CertificateAuthority): Promise<readonly Uint8Array[]> {
    const { recorded } = await seeBundle(this.#context, authority)
    if (recorded.state !== 'found' || hashOfRoots(recorded.record.bundle) !== authority.status?.rotation?.to)
      throw new Error('its Secret does not hold the roots that the authority reports')
    const now = this.#context.clock.now()
    return recorded.record.bundle.filter(({ notAfter }) => now <= notAfter).map(({ der }) => der)
  }

  /** DER of the CA that signs since a rotation has switched, and of the one that did before. Rejects as `load` does. */
  async exchangedOf(authority: CertificateAuthority): Promise<readonly [next: Uint8Array, former: Uint8Array]> {
    const { certificate, former } = await this.load(authority)
    if (former === undefined || certificate.fingerprint !== authority.status?.rotation?.to)
      throw new Error('its Secret does not hold the two authorities that status reports')
    return [certificate.der, former.certificate.der]
  }

  /**
   * PKCS #8 of the CA's own key, for whoever may have it (`spec.allowKeyExport`; asked by the caller). Read anew and never
   * kept. Rejects as `load` does.
   */
  async exportKey(authority: CertificateAuthority): Promise<Uint8Array> {
    const { certificate, pkcs8 } = await this.#stored(authority)
    if (certificate.fingerprint !== authority.status?.certificate?.fingerprint || pkcs8 === undefined)
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
      versionOf(recordSecretOf(authority)),
      versionOf(passphraseRefOf(authority)?.name),
      isRevokedFor(this.#context.caches, authority, authority.status?.certificate?.serialNumber),
    ].join(' ')
  }

  async #read(authority: CertificateAuthority): Promise<AuthorityMaterial> {
    const stored = await this.#stored(authority)
    const { certificate, trust, chain } = stored
    const name = keySecretOf(authority)
    if (certificate.fingerprint !== authority.status?.certificate?.fingerprint)
      throw new Error(`its Secret "${name}" does not hold the certificate that the authority reports`)
    if (trustHash(trust) !== authority.status.trustBundleHash)
      throw new Error(`its Secret "${name}" does not hold the roots that the authority reports`)
    const signer = await this.#signer(stored, trust)
    const keyless = stored.pkcs8 === undefined ? ({ keyless: true } as const) : {}
    const material = { signer, certificate, chain, trust, trustHash: trustHash(trust), ...keyless }
    if (stored.other === undefined) return material
    const revoked = isRevokedFor(this.#context.caches, authority, certificate.serialNumber)
    const givenUp = isGivenUp(revoked, stored.other.name) ? ({ givenUp: true } as const) : {}
    return { ...material, ...givenUp, ...(await this.#other(stored.other, trust)) }
  }

  async #other(other: StoredOther, trust: readonly Uint8Array[]): Promise<Pick<AuthorityMaterial, 'former' | 'next'>> {
    const { name, certificate, chain, pkcs8 } = other
    const signer = pkcs8 === undefined ? undefined : await this.#signer({ ...other, pkcs8 }, trust)
    if (name === 'next') return signer === undefined ? {} : { next: { certificate, chain, signer } }
    const ordered = formerTrust(trust, certificate.der)
    return { former: { certificate, chain, signer, trust: ordered, trustHash: trustHash(ordered) } }
  }

  #signer(
    { certificate, pkcs8, chain }: Pick<Stored, 'certificate' | 'pkcs8' | 'chain'>,
    trust: readonly Uint8Array[],
  ): Promise<Signer> {
    const whole = { certificate: certificate.der, chain: isSelfSigned(certificate) ? [] : pathAbove(chain, trust) }
    return pkcs8 === undefined
      ? Promise.resolve(keylessSigner(whole))
      : createSigner(this.#context.crypto, { pkcs8, ...whole })
  }

  async #stored(authority: CertificateAuthority): Promise<Stored> {
    if (isBrought(authority)) {
      const seen = await seeBrought(this.#context, authority)
      if (!('state' in seen)) return storedOf(seen)
      throw new Error(seen.state === 'refused' ? clause(seen.message) : 'it is a trust anchor alone and signs nothing')
    }
    const name = authoritySecretName(authority)
    const secret = await readSecret(this.#context.cluster, {
      namespace: authority.metadata.namespace ?? 'default',
      name,
    })
    if (secret === undefined) throw new Error(`its Secret "${name}" does not exist`)
    const mark = secret.metadata.annotations?.[marks.rotationStage]
    const stored = await readStoredAuthority(dataOf(secret), await this.passphrases(authority), mark)
    await refuseUnrecorded(this.#context, authority, stored)
    return stored
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

/** The CAs above one that is no root, up to the first of the roots, under which it hangs; not another form of that root. */
const pathAbove = (chain: readonly Uint8Array[], trust: readonly Uint8Array[]): readonly Uint8Array[] => {
  const [root] = trust
  if (root === undefined) return chain.slice(1)
  const { spki } = parseCertificate(root)
  return [...chain.slice(1).filter((der) => !equal(parseCertificate(der).spki, spki)), root]
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
