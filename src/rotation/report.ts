/** What status and events say of a rotation. One write for a step, with what the CA itself is by then. */

import { isDeepStrictEqual } from 'node:util'
import type { Staged } from '../authority/rotate.ts'
import { withFacts } from '../authority/rotation-facts.ts'
import { keyOf } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { writeStatus } from '../control/report.ts'
import { phaseOf } from '../control/rotation.ts'
import { certificateAuthorities, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { type Condition, findCondition } from '../resources/conditions.ts'
import type { Reason } from '../resources/reasons.ts'
import type { ReconcileError } from '../runtime/errors.ts'
import type { Phase, Step } from './state.ts'
import { isSameButForCounts, type RotationStatus, statusOf } from './status.ts'

/** Counts and names may lag so far behind, ms. */
const countsMs = 2000

export class Reporter {
  readonly #context: Context
  /** By CA: when its counts were written last, monotonic ms. */
  readonly #written = new Map<string, number>()

  constructor(context: Context) {
    this.#context = context
  }

  forget(key: string): void {
    this.#written.delete(key)
  }

  /** Answers ms until it is to be written after all; undefined where it is. */
  async stay(
    authority: CertificateAuthority,
    material: Staged,
    { state, pending, message }: Extract<Step, { act: 'Stay' }>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const key = keyOf(authority)
    const before = authority.status?.rotation
    const rotation = withMaterial(statusOf({ state, pending, message }), material, before)
    if (before === undefined && message === '') return undefined
    if (isDeepStrictEqual(before, rotation)) return undefined
    if (isSameButForCounts(before, rotation)) {
      const left = (this.#written.get(key) ?? -Infinity) + countsMs - this.#context.clock.monotonic()
      if (left > 0) return left
    }
    if (await this.#write(authority, { rotation }, signal)) this.#written.set(key, this.#context.clock.monotonic())
    return undefined
  }

  /** A step was taken. */
  async moved(
    authority: CertificateAuthority,
    material: Staged,
    step: Exclude<Step, { act: 'Stay' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { status } = authority
    const { fingerprint } = material.facts.certificate ?? {}
    const renewed = step.act === 'RenewSameKey' && fingerprint !== undefined ? { to: fingerprint } : {}
    const told = { ...step, state: { ...step.state, ...renewed } }
    const rotation = withMaterial(statusOf(told), material, status?.rotation)
    const { facts } = material
    const isSame = isKnown(authority, facts)
    await this.#write(
      authority,
      {
        ...facts,
        // A foreign label moves the version of the Secret; that alone is not worth a write.
        ...(isSame ? { observed: status?.observed } : {}),
        rotation,
        ...(status?.conditions === undefined ? {} : { conditions: withMessage(status.conditions, material.message) }),
      },
      signal,
    )
    this.#written.set(keyOf(authority), this.#context.clock.monotonic())
    const { phase } = step.state
    const before = phaseOf(authority)
    if (step.message !== '' && (phase !== before || step.act !== 'Report'))
      this.#event(
        authority,
        'Normal',
        step.act === 'Abandon' || step.act === 'SwitchBack' ? 'RotationTakenBack' : reasonOf[phase],
        step.message,
      )
    else if (step.message !== '') this.#event(authority, 'Normal', 'Rotating', step.message)
  }

  async failed(authority: CertificateAuthority, error: ReconcileError, signal: AbortSignal): Promise<void> {
    const before = authority.status?.rotation
    const message = `The next step was not taken: ${error.message}`
    if (before?.message === message) return
    // Where nothing stands there, the texts of the spec would seem not to have been acted on.
    if (before !== undefined) await this.#write(authority, { rotation: { ...before, message } }, signal)
    this.#event(authority, 'Warning', 'RotationFailed', message)
  }

  #write(
    authority: CertificateAuthority,
    fields: Partial<NonNullable<CertificateAuthority['status']>>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { authorities } = this.#context.caches
    const wanted = { ...authority.status, ...fields }
    return writeStatus(this.#context, certificateAuthorities, authorities, authority, wanted, signal)
  }

  #event(regarding: CertificateAuthority, type: 'Normal' | 'Warning', reason: Reason, note: string): void {
    this.#context.events.record({ regarding, type, reason, action: 'Rotate', note })
  }
}

const reasonOf: Readonly<Record<Phase, Reason>> = {
  Idle: 'RotationEnded',
  Prepared: 'RotationPrepared',
  TrustBoth: 'RotationTrustBoth',
  Signing: 'RotationSigning',
  DropSoak: 'RotationDropSoak',
  Dropped: 'RotationDropped',
}

/** What the Secret alone tells: which CAs, and the bundle in the order of the former one. */
const withMaterial = (
  rotation: RotationStatus,
  { rotation: facts, stage }: Staged,
  before: RotationStatus | undefined,
): RotationStatus => {
  const { from = before?.from, to = before?.to } = rotation
  return withFacts(rotation, stage === 'Plain' ? { from, to, formerTrustBundleHash: undefined } : facts)
}

const isKnown = ({ status }: CertificateAuthority, facts: Staged['facts']): boolean =>
  facts.observed === undefined || status?.observed?.secretResourceVersion === facts.observed.secretResourceVersion

const withMessage = (conditions: Condition[], message: string): Condition[] => {
  const ready = findCondition(conditions, 'Ready')
  if (ready?.status !== 'True') return conditions
  return conditions.map((one) => (one === ready ? { ...one, message } : one))
}
