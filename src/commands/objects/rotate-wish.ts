/** What `dbtls rotate` is asked for, and what that changes in a CA's spec. Pure. */

import { holdPhases, isHeld, isRequested, rotationPhases, underWay } from '../../control/rotation.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import { findCondition } from '../../resources/conditions.ts'
import { CommandError } from '../shared/failures.ts'
import { UsageError } from '../shared/options.ts'
import { readinessOf } from '../shared/readiness.ts'

export type HoldPhase = (typeof holdPhases)[number]

export type Wish =
  | { readonly act: 'start'; readonly compromised: boolean }
  | { readonly act: 'hold'; readonly at: HoldPhase }
  | { readonly act: 'release' }
  | { readonly act: 'abort' }

type RotationSpec = NonNullable<CertificateAuthority['spec']['rotation']>
export type Fields = Partial<Pick<RotationSpec, 'trigger' | 'abort' | 'reason' | 'holdAt'>>

export interface Change {
  /** Fields of spec.rotation; none where nothing has to be written. */
  readonly fields: Fields
  /** The line that tells it: a verb, and a sentence. */
  readonly told: readonly [verb: string, sentence: string]
}

interface WishOptions {
  readonly reason?: string | undefined
  readonly hold?: string | undefined
  readonly release?: boolean | undefined
  readonly abort?: boolean | undefined
}

/** @throws UsageError for words that contradict each other. */
export const wishOf = ({ reason, hold, release = false, abort = false }: WishOptions): Wish => {
  const steering = [hold !== undefined && '--hold', release && '--release', abort && '--abort'].filter(
    (flag) => flag !== false,
  )
  if (steering.length > 1) throw new UsageError(`${steering.join(' and ')} exclude each other`)
  if (steering.length === 1 && reason !== undefined)
    throw new UsageError(`--reason goes with a rotation that is started, not with ${steering[0]}`)
  if (hold !== undefined) {
    const at = holdPhases.find((phase) => phase.toLowerCase() === hold.toLowerCase())
    if (at === undefined) throw new UsageError(`--hold is one of ${holdPhases.join(', ')}, not "${hold}"`)
    return { act: 'hold', at }
  }
  if (release) return { act: 'release' }
  if (abort) return { act: 'abort' }
  if (reason !== undefined && reason.toLowerCase() !== 'compromised')
    throw new UsageError(`--reason is Compromised, or left out; not "${reason}"`)
  return { act: 'start', compromised: reason !== undefined }
}

/**
 * `mark`: a text that was not there before. @throws CommandError with a sentence where it cannot be done
 */
export const changeFor = (authority: CertificateAuthority, wish: Wish, mark: string): Change => {
  if (authority.spec.source.trustOnly !== undefined) refuseForBundles(authority, wish)
  switch (wish.act) {
    case 'start':
      return start(authority, wish.compromised, mark)
    case 'hold':
      return hold(authority, wish.at)
    case 'release':
      return release(authority)
    default:
      return abort(authority, mark)
  }
}

/** What goes in stages when its owner takes it out can be held and let go; nothing else is asked of a bundle from here. */
const refuseForBundles = ({ spec }: CertificateAuthority, { act }: Wish): void => {
  if (spec.rotation !== undefined && (act === 'hold' || act === 'release')) return
  throw new CommandError(
    spec.rotation === undefined
      ? 'it signs nothing and has no key to rotate: put the new certificates beside the old ones in its source, and take the old ones out when every client has them; with spec.rotation they leave in stages'
      : 'it signs nothing and has no key to rotate: change its source. What is taken out there leaves in stages, and is taken back by putting it back',
  )
}

const start = (authority: CertificateAuthority, compromised: boolean, trigger: string): Change => {
  const { spec } = authority
  const isNewKey = compromised || spec.rotation?.onTrigger !== 'ReuseKey'
  const rotation = underWay(authority)
  if (spec.source.secret !== undefined)
    throw new CommandError(
      `its key is yours, in Secret "${spec.source.secret.name}": put the new key and certificate there, and the rotation begins`,
    )
  if (rotation !== undefined && compromised) {
    if (spec.rotation?.reason === 'Compromised')
      return { fields: {}, told: ['known', `the rotation under way is at ${rotation.phase} and hurries already`] }
    return {
      fields: { reason: 'Compromised' },
      told: ['hurried', `the rotation under way is at ${rotation.phase} and goes on as of a compromised CA`],
    }
  }
  if (isRequested(authority))
    return {
      fields: {},
      told: ['known', rotation === undefined ? 'a rotation was asked for already' : queued(rotation.phase)],
    }
  if (rotation !== undefined) return { fields: { trigger }, told: ['queued', queued(rotation.phase)] }
  if (!isSound(authority)) {
    const { reason, message } = readinessOf(authority)
    throw new CommandError(`it is not Ready, and only a CA that is can be rotated: ${reason}: ${message}`)
  }
  return {
    fields: { trigger, reason: compromised ? 'Compromised' : '' },
    told: ['asked for', `a rotation with ${isNewKey ? 'a new key' : 'the same key'}`],
  }
}

/** Whether the operator has looked at the very last change, such as a hold a moment ago, does not matter. */
const isSound = ({ status }: CertificateAuthority): boolean =>
  findCondition(status?.conditions, 'Ready')?.status === 'True' &&
  findCondition(status?.conditions, 'Stalled')?.status !== 'True'

const queued = (phase: string): string => `another one begins when the one under way, at ${phase}, has ended`

const hold = (authority: CertificateAuthority, at: HoldPhase): Change => {
  const rotation = underWay(authority)
  if (authority.spec.rotation?.holdAt === at)
    return { fields: {}, told: ['known', isHeld(authority) ? `it is held at ${at}` : `it will be held at ${at}`] }
  const past = rotation !== undefined && rotationPhases.indexOf(rotation.phase) > rotationPhases.indexOf(at)
  if (past) throw new CommandError(`the rotation under way is past ${at}: it is at ${rotation.phase}`)
  return { fields: { holdAt: at }, told: ['held', `no rotation of it goes past ${at} until --release`] }
}

const release = ({ spec }: CertificateAuthority): Change => {
  const at = spec.rotation?.holdAt ?? ''
  if (at === '') return { fields: {}, told: ['known', 'it is not held'] }
  return { fields: { holdAt: '' }, told: ['released', `it was held at ${at}`] }
}

const abort = (authority: CertificateAuthority, mark: string): Change => {
  const rotation = underWay(authority)
  if (rotation === undefined) throw new CommandError('no rotation of it is under way, so there is nothing to take back')
  const { secret } = authority.spec.source
  if (secret !== undefined)
    throw new CommandError(
      `its key is yours, in Secret "${secret.name}": put the former key and certificate back there, and it is taken back`,
    )
  if (rotation.phase === 'Dropped')
    throw new CommandError('the former CA is out of trust, so there is no way back: start another rotation instead')
  const back =
    rotation.phase === 'Prepared' || rotation.phase === 'TrustBoth'
      ? 'the next CA is given up'
      : 'the former CA signs again, and what the new one has signed is replaced'
  return { fields: { abort: mark }, told: ['aborted', `at ${rotation.phase}: ${back}`] }
}
