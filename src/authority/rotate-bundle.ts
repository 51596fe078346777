/**
 * The steps of rotate.ts for a bundle that is only trusted, after its owner has taken something out of it (docs/adr/0023). No key
 * and no certificate is made here, and the owner's object is only read: each step is one apply of the Secret in which dbtls
 * remembers what consumers trust.
 */

import type { Context } from '../control/context.ts'
import { noFailure } from '../control/failure.ts'
import { isRotating } from '../control/rotation.ts'
import type { ImportedTrust } from '../pki/imports/trust.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { Retryable, Terminal } from '../runtime/errors.ts'
import {
  type BundleChange,
  bundleMoves,
  type BundleRecord,
  changeOf,
  hashOfRoots,
  publishedRoots,
} from './bundle-record.ts'
import { type BundleSeen, isStaged, seeBundle } from './bundle-seen.ts'
import { nameOf, recordSecretOf } from './names.ts'
import { bundleMessage, rememberBundle } from './reconcile-bundle.ts'
import type { Staged } from './rotate.ts'
import type { Stage } from './stage.ts'

export interface BundleMaterial extends Staged {
  readonly change: BundleChange
  /** Whether what is taken out goes in stages. */
  readonly staged: boolean
  /** trustHash of what was trusted before; undefined where nothing is on its way out. */
  readonly former: string | undefined
  /** trustHash of what its owner wants trusted. */
  readonly bundle: string
}

interface Sight {
  readonly authority: CertificateAuthority
  readonly given: ImportedTrust
  readonly recorded: BundleSeen['recorded']
  readonly record: BundleRecord
  readonly signal: AbortSignal
}

/** Rejects as the Rotator of rotate.ts does. */
export class BundleRotator {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  async look(authority: CertificateAuthority, signal: AbortSignal): Promise<BundleMaterial> {
    return this.#unchanged(await this.#see(authority, signal))
  }

  /** To Next from anywhere: what its owner gives now is to be all that is trusted. */
  async prepare(authority: CertificateAuthority, _wish: unknown, signal: AbortSignal): Promise<BundleMaterial> {
    const sight = await this.#see(authority, signal)
    if (this.#changeOf(sight) !== 'Less') return this.#unchanged(sight)
    return this.#write(sight, bundleMoves.prepare(sight.record, sight.given.certificates, this.#context.clock.now()))
  }

  /** Next → Both */
  publish(authority: CertificateAuthority, signal: AbortSignal): Promise<BundleMaterial> {
    return this.#move(authority, ['Next'], 'Both', bundleMoves.publish, signal)
  }

  /** Next or Both → Switched; with `dropNow` to Dropped. */
  switchSigner(
    authority: CertificateAuthority,
    { dropNow }: { readonly dropNow: boolean },
    signal: AbortSignal,
  ): Promise<BundleMaterial> {
    const [to, move] = dropNow ? (['Dropped', dropped] as const) : (['Switched', bundleMoves.switchOver] as const)
    return this.#move(authority, ['Next', 'Both'], to, move, signal)
  }

  /** Switched → Dropped */
  drop(authority: CertificateAuthority, signal: AbortSignal): Promise<BundleMaterial> {
    return this.#move(authority, ['Switched'], 'Dropped', dropped, signal)
  }

  /** Dropped → Plain */
  finish(authority: CertificateAuthority, signal: AbortSignal): Promise<BundleMaterial> {
    return this.#move(authority, ['Dropped'], 'Plain', settled, signal)
  }

  /** Next, Both or Switched → Plain: nothing is on its way out any more. */
  async abandon(authority: CertificateAuthority, signal: AbortSignal): Promise<BundleMaterial> {
    const sight = await this.#see(authority, signal)
    if (sight.record.stage === 'Plain') return this.#unchanged(sight)
    if (this.#changeOf(sight) !== 'All') throw outOfStep(sight)
    return this.#write(sight, bundleMoves.settle(sight.given.certificates))
  }

  switchBack(authority: CertificateAuthority): Promise<never> {
    return nothingSigned(authority)
  }

  renewSameKey(authority: CertificateAuthority): Promise<never> {
    return nothingSigned(authority)
  }

  async #see(authority: CertificateAuthority, signal: AbortSignal): Promise<Sight> {
    const { given, recorded } = await seeBundle(this.#context, authority, signal)
    if (given.state === 'refused') throw new Terminal(given.reason, given.message)
    const { bundle } = given
    if (recorded.state === 'found') return { authority, given: bundle, recorded, record: recorded.record, signal }
    // Before it is remembered, or where it cannot be, it is what its owner gives.
    if (!isRotating(authority))
      return { authority, given: bundle, recorded, record: bundleMoves.settle(bundle.certificates), signal }
    throw new Terminal(
      'AuthoritySecretMissing',
      `Secret "${recordSecretOf(authority)}" of ${nameOf(authority)} is gone or changed; restore it.`,
    )
  }

  #changeOf({ record, given }: Sight): BundleChange {
    return changeOf(record, given.certificates, this.#context.clock.now())
  }

  /** What has been given elsewhere meanwhile is looked at again. */
  async #move(
    authority: CertificateAuthority,
    from: readonly Stage[],
    to: Stage,
    move: (record: BundleRecord, bundle: BundleRecord['bundle']) => BundleRecord,
    signal: AbortSignal,
  ): Promise<BundleMaterial> {
    const sight = await this.#see(authority, signal)
    if (sight.record.stage === to) return this.#unchanged(sight)
    if (!from.includes(sight.record.stage) || this.#changeOf(sight) === 'Less') throw outOfStep(sight)
    return this.#write(sight, move(sight.record, sight.given.certificates))
  }

  async #write(sight: Sight, record: BundleRecord): Promise<BundleMaterial> {
    const { authority, recorded, signal } = sight
    await rememberBundle(this.#context, authority, recorded, record, signal)
    return this.#materialOf({ ...sight, record }, true)
  }

  #unchanged(sight: Sight): BundleMaterial {
    return this.#materialOf(sight, false)
  }

  #materialOf(sight: Sight, wrote: boolean): BundleMaterial {
    const { authority, given, record } = sight
    const now = this.#context.clock.now()
    const bundle = hashOfRoots(record.bundle)
    const former = record.former && hashOfRoots(record.former)
    const isPlain = record.stage === 'Plain'
    return {
      ...{ stage: record.stage, change: this.#changeOf(sight), staged: isStaged(authority), former, bundle, wrote },
      facts: { ...noFailure, certificate: undefined, trustBundleHash: hashOfRoots(publishedRoots(record, now)) },
      rotation: {
        from: isPlain ? undefined : (former ?? authority.status?.rotation?.from),
        to: isPlain ? undefined : bundle,
        formerTrustBundleHash: undefined,
      },
      message: bundleMessage(record, given, now),
    }
  }
}

const dropped = (_record: BundleRecord, bundle: BundleRecord['bundle']): BundleRecord => bundleMoves.drop(bundle)
const settled = (_record: BundleRecord, bundle: BundleRecord['bundle']): BundleRecord => bundleMoves.settle(bundle)

const outOfStep = ({ authority, record }: Sight): Retryable =>
  new Retryable(
    'Rotating',
    `${nameOf(authority)} is at stage ${record.stage} of a transition, and its source has changed.`,
  )

const nothingSigned = (authority: CertificateAuthority): Promise<never> =>
  Promise.reject(new Terminal('Rotating', `${nameOf(authority)} signs nothing.`))
