/**
 * One look at the rotation of a CA: what its Secret holds, what is asked for and seen, one step (decide.ts), and one status
 * write. The Secret is written first, and a status that a crash left behind is mended from it by the next look.
 */

import { isStaged } from '../authority/bundle-seen.ts'
import type { Keyring } from '../authority/keyring.ts'
import { isBrought, isBundle } from '../authority/names.ts'
import { Rotator, type RotatorOptions } from '../authority/rotate.ts'
import { BroughtRotator } from '../authority/rotate-brought.ts'
import { BundleRotator } from '../authority/rotate-bundle.ts'
import { keyOf } from '../cluster/port.ts'
import { type Context, existing, marks } from '../control/context.ts'
import { isRotating, rotationOf } from '../control/rotation.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { longestRequeueMs, type Reconcile, type ReconcileContext, type Result } from '../runtime/controller.ts'
import { NotReady, ReconcileError, Terminal } from '../runtime/errors.ts'
import { carryOut } from './act.ts'
import { bundleRules, bundlesWorld, bundleStep, inBundlesWords } from './bundle.ts'
import { revokeFormer } from './compromised.ts'
import { decide } from './decide.ts'
import { isKnown, isPlain, Materials, type Seen } from './material.ts'
import { observeBundle } from './observe-bundle.ts'
import { beginsAt, observe, wishOf } from './observe.ts'
import { abortAnswer, ownersWorld, ownerStep } from './owner.ts'
import type { Rules } from './phases.ts'
import { Reporter } from './report.ts'
import { compareClocks, followsFromTime, isAsItWas } from './confirm.ts'
import type { Step, World } from './state.ts'
import { stateOf } from './status.ts'
import { RotationTurns } from './turns.ts'

export interface RotationOptions {
  /** The namespaces the operator was started for; undefined for all. */
  readonly namespaces: readonly string[] | undefined
  /** Whether what live servers serve and trust is asked at all. */
  readonly asksServers: boolean
  /** What each phase waits for. Default: what the tables of gates.ts and phases.ts say. */
  readonly rules?: Rules | undefined
  /** Has a certificate looked at: it is its turn. */
  readonly told: (certificateKey: string) => void
  /** Of the Rotator. */
  readonly lastWords?: RotatorOptions['lastWords']
}

type Act = Exclude<Step, { readonly act: 'Stay' }>

/** What somebody else has to cure is looked at again so often, ms. */
const refusedMs = 60_000
const apartMs = 100

export class RotationReconciler {
  readonly turns: RotationTurns
  readonly #context: Context
  readonly #options: RotationOptions
  readonly #rotator: Rotator
  readonly #broughtRotator: BroughtRotator
  readonly #bundleRotator: BundleRotator
  readonly #materials: Materials
  readonly #reporter: Reporter
  readonly #acting = new Set<string>()

  constructor(context: Context, keyring: Keyring, options: RotationOptions) {
    this.#context = context
    this.#options = options
    this.#rotator = new Rotator(context, keyring, options)
    this.#broughtRotator = new BroughtRotator(context)
    this.#bundleRotator = new BundleRotator(context)
    this.#materials = new Materials(context, (authority, about): Promise<Seen> =>
      this.#rotatorOf(authority).look(authority, about),
    )
    this.#reporter = new Reporter(context)
    this.turns = new RotationTurns(context)
  }

  /** The same, but not between the Secret and the status of a step, when the CA cannot be understood. */
  apart(reconcile: Reconcile): Reconcile {
    return (key, about) =>
      this.#acting.has(key) ? Promise.resolve({ requeueAfterMs: apartMs }) : reconcile(key, about)
  }

  /** `key` is the CA's. */
  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const authority = existing(this.#context.caches.authorities, key)
    if (authority === undefined) {
      for (const memory of [this.turns, this.#rotator, this.#materials, this.#reporter]) memory.forget(key)
      return {}
    }
    if (!isKnown(authority)) return {}
    // What a restore has not finished has a ledger that is not complete.
    if (authority.metadata.annotations?.[marks.hold] !== undefined) return {}
    const restsUntil = this.#restsUntil(authority)
    if (restsUntil !== undefined) return { requeueAfterMs: restsUntil - this.#context.clock.now() }
    try {
      return await this.#look(authority, signal)
    } catch (error) {
      return this.#failed(authority, error, signal)
    }
  }

  /** Nothing is under way and nothing asked for; costs no request. */
  #restsUntil(authority: CertificateAuthority): number | undefined {
    const now = this.#context.clock.now()
    const { certificate, rotation } = authority.status ?? {}
    const { trigger, abort, onExpiry } = wishOf(authority, now)
    if (isRotating(authority) || !isPlain(this.#context, authority)) return undefined
    if (isBundle(authority) && !isStaged(authority)) return now + longestRequeueMs
    if (isBrought(authority)) return this.#ownerRests(authority) ? now + longestRequeueMs : undefined
    if (trigger !== (rotation?.trigger ?? '') || abort !== (rotation?.abort ?? '')) return undefined
    if (rotation?.mode === 'ReuseKey' && rotation.finishedAt === undefined) return undefined
    if (onExpiry !== 'NewKey' || certificate === undefined) return now + longestRequeueMs
    const [notBefore, notAfter] = [certificate.notBefore, certificate.notAfter].map((text) => Date.parse(text))
    const at = beginsAt(this.#context.caches, authority, { notBefore: notBefore ?? 0, notAfter: notAfter ?? 0 })
    return at > now ? at : undefined
  }

  /** Its owner has changed nothing. What is asked for besides is answered in words alone. */
  #ownerRests(authority: CertificateAuthority): boolean {
    const material = this.#materials.known(authority)
    if (material === undefined || isWished(material)) return false
    const { trigger = '', abort = '' } = authority.spec.rotation ?? {}
    const { rotation } = authority.status ?? {}
    return trigger === (rotation?.trigger ?? '') && abort === (rotation?.abort ?? '')
  }

  #rotatorOf(authority: CertificateAuthority): Rotator | BroughtRotator | BundleRotator {
    if (isBundle(authority)) return this.#bundleRotator
    return isBrought(authority) ? this.#broughtRotator : this.#rotator
  }

  async #look(authority: CertificateAuthority, signal: AbortSignal): Promise<Result> {
    const material = await this.#materials.see(authority, signal)
    const more = await this.#revoke(authority, material, signal)
    const { step, world } = this.#decide(authority, material)
    if (step.act === 'Stay') return this.#stay(authority, material, step, world, more, signal)
    if (more !== undefined && (step.act === 'Drop' || step.act === 'Finish') && more < refusedMs)
      return { requeueAfterMs: more }
    const confirmed = await this.#confirmed(authority, material, step, signal)
    if (confirmed === undefined) return { requeueAfterMs: apartMs }
    await this.#act(authority, material, confirmed, signal)
    return { requeueAfterMs: 1 }
  }

  /** What is seen at this moment, and what follows: nothing is waited for in between. */
  #decide(authority: CertificateAuthority, material: Seen): { readonly step: Step; readonly world: World } {
    const { caches, clock } = this.#context
    const { namespaces, asksServers } = this.#options
    const consuming = { caches, namespaces, asksServers }
    const state = stateOf(authority)
    const { rules } = this.#options
    if ('bundle' in material) {
      const world = bundlesWorld(observeBundle(consuming, authority, material, clock.now()), state, material)
      const step = bundleStep(state, world, material) ?? decide(state, world, bundleRules(rules))
      return { step: inBundlesWords(step), world }
    }
    const seen = observe(this.#context, consuming, authority, material, clock.now())
    if (!('owner' in material)) return { step: decide(state, seen, rules), world: seen }
    const world = ownersWorld(seen, state, material)
    const step = ownerStep(state, world, material) ?? abortAnswer(state, seen.wish.abort) ?? decide(state, world, rules)
    return { step, world }
  }

  /** The step, where the API server has the same CA and the same time, and what is seen by then leads to it still. */
  async #confirmed(
    authority: CertificateAuthority,
    material: Seen,
    step: Act,
    signal: AbortSignal,
  ): Promise<Act | undefined> {
    if (step.act !== 'Report' && !(await isAsItWas(this.#context.cluster, authority, signal))) return undefined
    if (followsFromTime(stateOf(authority), step)) await compareClocks(this.#context, authority, signal)
    const { step: again } = this.#decide(authority, material)
    return again.act !== 'Stay' && again.act === step.act && again.state.phase === step.state.phase ? again : undefined
  }

  /** ms until there is more to revoke. */
  async #revoke(authority: CertificateAuthority, material: Seen, signal: AbortSignal): Promise<number | undefined> {
    if ('bundle' in material) return undefined
    const { phase = 'Idle', cause } = authority.status?.rotation ?? {}
    const isSwitched = material.stage === 'Switched' || material.stage === 'Dropped'
    const { compromised } = wishOf(authority, this.#context.clock.now())
    if (!compromised || cause === 'Abort' || !isSwitched || phase === 'Idle') return undefined
    const { namespaces } = this.#options
    return revokeFormer(this.#context, { authority, phase, material, signal, namespaces })
  }

  async #stay(
    authority: CertificateAuthority,
    material: Seen,
    step: Extract<Step, { act: 'Stay' }>,
    { now, wish, signer }: World,
    more: number | undefined,
    signal: AbortSignal,
  ): Promise<Result> {
    const late = await this.#reporter.stay(authority, material, step, signal)
    const urgent = wish.compromised || signer.expired
    const dealt =
      step.state.phase === 'Signing'
        ? this.turns.deal(authority, {
            maxParallel: rotationOf(authority).maxParallel,
            ...{ open: wish.open || urgent, urgent },
          })
        : undefined
    for (const certificate of dealt?.told ?? []) this.#options.told(certificate)
    const opens = wish.open || wish.opensAt === undefined ? [] : [wish.opensAt - now]
    const times = [
      step.wakeAt === undefined ? [] : [step.wakeAt - now],
      late ?? [],
      dealt?.againMs ?? [],
      more ?? [],
      opens,
    ]
    const waits = times.flat().map((ms) => Math.max(ms, 1))
    return { requeueAfterMs: Math.min(longestRequeueMs, ...waits) }
  }

  async #act(authority: CertificateAuthority, material: Seen, step: Act, signal: AbortSignal): Promise<void> {
    const key = keyOf(authority)
    this.#acting.add(key)
    // Turns were given out for another direction.
    if (step.act !== 'Report') this.#endTurns(key)
    try {
      const made =
        step.act === 'Report' ? material : await carryOut(this.#rotatorOf(authority), authority, step, signal)
      await this.#reporter.moved(authority, made, step, signal)
      if (step.state.phase !== 'Signing') this.#endTurns(key)
    } finally {
      this.#acting.delete(key)
    }
  }

  /** Who waited for a turn to be renewed does so in its own time. */
  #endTurns(key: string): void {
    for (const certificate of this.turns.forget(key)) this.#options.told(certificate)
  }

  /** The phase stays, and says why. */
  async #failed(authority: CertificateAuthority, error: unknown, signal: AbortSignal): Promise<Result> {
    if (!(error instanceof ReconcileError) || error.reason === 'Conflict' || error.reason === 'Rotating') throw error
    await this.#reporter.failed(authority, error, signal)
    if (error instanceof Terminal) return { requeueAfterMs: refusedMs }
    if (error instanceof NotReady) return { requeueAfterMs: Math.min(error.afterMs ?? refusedMs, refusedMs) }
    throw error
  }
}

/** Whether its owner has changed what is remembered. */
const isWished = (material: Seen): boolean => {
  if ('bundle' in material) return material.change === 'Less'
  return !('owner' in material) || material.owner !== 'Signer'
}
