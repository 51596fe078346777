/**
 * The steps of rotate.ts for a CA whose owner replaces it (docs/adr/0021). No key and no certificate is made here, and the
 * owner's Secret is only read: each step is one apply of the Secret in which dbtls remembers what consumers know.
 */

import type { Context } from '../control/context.ts'
import { isRotating } from '../control/rotation.ts'
import { equal } from '../pki/certificates/parse.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { Retryable, Terminal } from '../runtime/errors.ts'
import { type BroughtRecord, type KeyOwner, keyOwnerOf, keyWanted, partyOf, publishedTrust } from './brought-record.ts'
import { factsOf, pairIn, standingMessage, writeRecord } from './brought-keep.ts'
import { type BroughtAuthority, seeBrought } from './brought-seen.ts'
import { nameOf, recordSecretOf } from './names.ts'
import type { Material } from './rotate.ts'
import { rotationFacts } from './rotation-facts.ts'
import type { Stage } from './stage.ts'

export interface BroughtMaterial extends Material {
  /** Whose key lies in the Secret of its owner. */
  readonly owner: KeyOwner
  /** Consumers trust more than what its owner brings now. */
  readonly trustsMore: boolean
  /** Whether anybody has to trust what he did not trust before. Not where its owner had the roots of both in the Secret beforehand. */
  readonly changesTrust: boolean
}

interface Sight {
  readonly authority: CertificateAuthority
  readonly seen: BroughtAuthority
  readonly record: BroughtRecord
  readonly owner: KeyOwner
  readonly signal: AbortSignal
}

/** Rejects as the Rotator of rotate.ts does. */
export class BroughtRotator {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  async look(authority: CertificateAuthority, signal: AbortSignal): Promise<BroughtMaterial> {
    return unchanged(await this.#see(authority, signal))
  }

  /**
   * To Next from anywhere: what its owner has brought now is to follow. Whatever was trusted until then stays so until that
   * rotation ends, also where another one is given up for it.
   */
  async prepare(authority: CertificateAuthority, _acted: object, signal: AbortSignal): Promise<BroughtMaterial> {
    const sight = await this.#see(authority, signal)
    const { record, owner, seen } = sight
    if (owner === keyWanted(record.stage)) return unchanged(sight)
    const signer = { ...record.signer, trust: publishedTrust(record) }
    const other = { ...partyOf(seen.brought.imported), name: 'next' as const }
    return this.#write(sight, { stage: 'Next', signer, other, ...overlapOf(sameRoots(signer.trust, other.trust)) })
  }

  /** Next → Both */
  async publish(authority: CertificateAuthority, signal: AbortSignal): Promise<BroughtMaterial> {
    const sight = await this.#see(authority, signal)
    if (isAt(sight, 'Both')) return unchanged(sight)
    expect(sight, 'Other', 'Next')
    return this.#write(sight, { ...sight.record, stage: 'Both' })
  }

  /** Both → Switched; with `dropNow` to Dropped. */
  async switchSigner(
    authority: CertificateAuthority,
    { dropNow }: { readonly dropNow: boolean },
    signal: AbortSignal,
  ): Promise<BroughtMaterial> {
    const sight = await this.#see(authority, signal)
    if (isAt(sight, 'Switched', 'Dropped')) return unchanged(sight)
    expect(sight, 'Other', 'Next', 'Both')
    return this.#write(sight, exchanged(sight.record, dropNow ? 'Dropped' : 'Switched'))
  }

  /**
   * Next, Both or Switched → Switched: its owner has brought back the CA that signed before. The one that is given up may have
   * signed, so it is trusted until nothing hangs on it.
   */
  async switchBack(
    authority: CertificateAuthority,
    { to }: { readonly to: string },
    signal: AbortSignal,
  ): Promise<BroughtMaterial> {
    const sight = await this.#see(authority, signal)
    const { record, seen, owner } = sight
    if (isAt(sight, 'Switched') && record.signer.certificate.fingerprint === to) return unchanged(sight)
    expect(sight, isAt(sight, 'Switched') ? 'Other' : 'Signer', 'Next', 'Both', 'Switched')
    const givenUp = owner === 'Signer' ? record.other : record.signer
    if (givenUp === undefined) throw new Error('there is no other authority')
    const former = { ...partyOf(givenUp), trust: publishedTrust(record), name: 'former' as const }
    const signer = partyOf(seen.brought.imported)
    return this.#write(sight, { stage: 'Switched', signer, other: former, ...overlapOf(record.overlapped === true) })
  }

  /** Switched → Dropped */
  async drop(authority: CertificateAuthority, signal: AbortSignal): Promise<BroughtMaterial> {
    const sight = await this.#see(authority, signal)
    if (isAt(sight, 'Dropped')) return unchanged(sight)
    expect(sight, 'Signer', 'Switched')
    return this.#write(sight, { ...sight.record, stage: 'Dropped' })
  }

  /** Dropped → Plain */
  async finish(authority: CertificateAuthority, signal: AbortSignal): Promise<BroughtMaterial> {
    return this.#alone(await this.#see(authority, signal), 'Dropped')
  }

  /** Next or Both → Plain: its owner has brought the CA back that signed before. */
  async abandon(authority: CertificateAuthority, signal: AbortSignal): Promise<BroughtMaterial> {
    return this.#alone(await this.#see(authority, signal), 'Next', 'Both')
  }

  renewSameKey(authority: CertificateAuthority): Promise<never> {
    return Promise.reject(new Terminal('Rotating', `${nameOf(authority)} is renewed by its owner.`))
  }

  async #see(authority: CertificateAuthority, signal: AbortSignal): Promise<Sight> {
    const seen = await seeBrought(this.#context, authority, signal)
    if ('state' in seen)
      throw seen.state === 'refused' ? new Terminal(seen.reason, seen.message) : new Error('it signs nothing')
    const { recorded, owner } = seen
    if (recorded.state === 'found' && owner !== undefined)
      return { authority, seen, record: recorded.record, owner, signal }
    // Before it is remembered, or where it cannot be, it is what its owner brings.
    if (!isRotating(authority))
      return {
        authority,
        seen,
        record: { stage: 'Plain', signer: partyOf(seen.brought.imported) },
        owner: 'Signer',
        signal,
      }
    throw new Terminal(
      'AuthoritySecretMissing',
      `Secret "${recordSecretOf(authority)}" of ${nameOf(authority)} is gone or changed; restore it.`,
    )
  }

  #alone(sight: Sight, ...from: readonly Stage[]): Promise<BroughtMaterial> {
    if (isAt(sight, 'Plain')) return Promise.resolve(unchanged(sight))
    expect(sight, 'Signer', ...from)
    return this.#write(sight, { stage: 'Plain', signer: sight.record.signer })
  }

  async #write(sight: Sight, record: BroughtRecord): Promise<BroughtMaterial> {
    const { authority, seen, signal } = sight
    await writeRecord(this.#context, authority, seen, record, signal)
    return materialOf({ ...sight, record, owner: keyOwnerOf(record, seen.brought.imported.certificate) }, true)
  }
}

const exchanged = ({ signer, other, overlapped }: BroughtRecord, stage: 'Switched' | 'Dropped'): BroughtRecord => {
  if (other === undefined) throw new Error('there is no other authority')
  return { stage, signer: partyOf(other), other: { ...signer, name: 'former' }, ...overlapOf(overlapped === true) }
}

const overlapOf = (overlapped: boolean): Pick<BroughtRecord, 'overlapped'> => (overlapped ? { overlapped } : {})

const isAt = ({ record }: Sight, ...these: readonly Stage[]): boolean => these.includes(record.stage)

/** What has been brought elsewhere meanwhile is looked at again. */
const expect = ({ authority, record, owner }: Sight, wanted: KeyOwner, ...stages: readonly Stage[]): void => {
  if (owner === wanted && stages.includes(record.stage)) return
  throw new Retryable(
    'Rotating',
    `${nameOf(authority)} is at stage ${record.stage} of a rotation, and its owner's Secret has changed.`,
  )
}

const sameRoots = (some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean =>
  some.length === others.length && some.every((der) => others.some((other) => equal(der, other)))

const unchanged = (sight: Sight): BroughtMaterial => materialOf(sight, false)

const materialOf = ({ seen: { brought }, record, owner }: Sight, wrote: boolean): BroughtMaterial => {
  const { stage, signer, other } = record
  const { imported, observed } = brought
  return {
    ...{ stage, certificate: signer.certificate, other: other?.certificate, wrote, owner },
    trustsMore: publishedTrust(record).some((der) => !imported.trust.some((one) => equal(one, der))),
    changesTrust: other === undefined || !(record.overlapped === true || sameRoots(signer.trust, other.trust)),
    facts: factsOf(record, observed),
    rotation: rotationFacts(pairIn(record)),
    message: standingMessage(record, imported),
  }
}
