/** What one object's status says, as `dbtls status` shows it. Pure. */

import { isHeld, isRequested, type Seen, underWay } from '../../control/rotation.ts'
import { fromTimestamp } from '../../control/schedule.ts'
import type { KubeObject } from '../../cluster/port.ts'
import type { CertificateAuthorityStatus } from '../../resources/certificate-authority.ts'
import { type Condition, findCondition } from '../../resources/conditions.ts'
import type { DatabaseCertificateStatus } from '../../resources/database-certificate.ts'
import type { DatabaseTLSProfileStatus } from '../../resources/database-tls-profile-status.ts'
import type { Instant } from '../../runtime/clock.ts'
import { readinessOf, type Warning, warningsOf } from '../shared/readiness.ts'

/** The stable shape of `--output json`: members may be added, none is taken away. Times are RFC 3339. */
export interface ObjectState {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Stalled: only a change of something else can help. Failing: tried again by itself. */
  readonly state: 'Ready' | 'Pending' | 'Failing' | 'Stalled'
  readonly reason: string
  readonly message: string
  readonly serialNumber?: string
  readonly notAfter?: string
  /** What the operator does next by itself, and when. */
  readonly next?: { readonly action: 'Renew' | 'Retry' | 'RevocationList' | 'Rotation'; readonly at?: string }
  /** A time for the next action that has passed. */
  readonly due: boolean
  readonly failedAttempts?: number
  readonly lastFailure?: { readonly time: string; readonly reason: string; readonly message: string }
  readonly crl?: CertificateAuthorityStatus['crl']
  /** Of one that is under way or asked for. */
  readonly rotation?: RotationState
  /** Of a profile whose servers are asked: what they serve, and the condition over all of them. */
  readonly endpoints?: DatabaseTLSProfileStatus['endpoints']
  readonly serving?: { readonly status: Condition['status']; readonly reason: string; readonly message: string }
  /** What is wrong beside the certificate: a revocation list that cannot be made. */
  readonly warnings?: readonly Warning[]
}

type RotationState = NonNullable<CertificateAuthorityStatus['rotation']> & {
  readonly held: boolean
  /** One was asked for that has not begun. */
  readonly requested: boolean
}

type AnyStatus = DatabaseCertificateStatus & CertificateAuthorityStatus & Pick<DatabaseTLSProfileStatus, 'endpoints'>
export type WithStatus = KubeObject & { readonly spec?: unknown; readonly status?: Partial<AnyStatus> }

export const stateOf = (object: WithStatus, now: Instant): ObjectState => {
  const { kind, metadata, status = {} } = object
  const { state, reason, message } = readinessOf(object)
  const next = nextOf(status)
  const at = fromTimestamp(next?.at)
  const notAfter = status.notAfter ?? status.certificate?.notAfter
  const serialNumber = status.serialNumber ?? status.certificate?.serialNumber
  const warnings = warningsOf(object)
  const failing = state !== 'Stalled' && (status.failedAttempts ?? 0) > 0
  return {
    kind,
    namespace: metadata.namespace ?? 'default',
    name: metadata.name,
    state: failing ? 'Failing' : state,
    reason,
    message,
    ...(serialNumber === undefined ? {} : { serialNumber }),
    ...(notAfter === undefined ? {} : { notAfter }),
    ...(next === undefined ? {} : { next }),
    due: at !== undefined && at <= now,
    ...(status.failedAttempts === undefined ? {} : { failedAttempts: status.failedAttempts }),
    ...(status.lastFailure === undefined ? {} : { lastFailure: status.lastFailure }),
    ...(status.crl === undefined ? {} : { crl: status.crl }),
    ...rotationOf(object),
    ...(status.endpoints === undefined ? {} : { endpoints: status.endpoints }),
    ...servingOf(status),
    ...(warnings.length === 0 ? {} : { warnings }),
  }
}

const servingOf = ({ conditions }: Partial<AnyStatus>): Pick<ObjectState, 'serving'> => {
  const found = findCondition(conditions, 'Serving')
  if (found === undefined) return {}
  const { status, reason, message } = found
  return { serving: { status, reason, message } }
}

const rotationOf = (object: WithStatus): Pick<ObjectState, 'rotation'> => {
  if (object.kind !== 'CertificateAuthority') return {}
  const authority = object as unknown as Seen
  const requested = isRequested(authority)
  if (underWay(authority) === undefined && !requested) return {}
  return { rotation: { ...(authority.status?.rotation ?? { phase: 'Idle' }), held: isHeld(authority), requested } }
}

const rotates = ({ rotation }: Partial<AnyStatus>): boolean => rotation !== undefined && rotation.phase !== 'Idle'

/** The earliest of what is to come; a retry before anything else, because the rest waits for it. */
const nextOf = (status: Partial<AnyStatus>): ObjectState['next'] => {
  if (status.nextAttemptAt !== undefined) return { action: 'Retry', at: status.nextAttemptAt }
  if (rotates(status)) return { action: 'Rotation' }
  const list = status.crl?.nextUpdate
  const { renewAt } = status
  if (renewAt === undefined) return list === undefined ? undefined : { action: 'RevocationList', at: list }
  return list === undefined || renewAt <= list
    ? { action: 'Renew', at: renewAt }
    : { action: 'RevocationList', at: list }
}

const urgency: readonly ObjectState['state'][] = ['Stalled', 'Failing', 'Pending', 'Ready']

/** What needs somebody first, then what comes first. */
export const byUrgency = (a: ObjectState, b: ObjectState): number =>
  urgency.indexOf(a.state) - urgency.indexOf(b.state) ||
  compare(a.next?.at ?? '9', b.next?.at ?? '9') ||
  compare(`${a.kind}/${a.namespace}/${a.name}`, `${b.kind}/${b.namespace}/${b.name}`)

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b))
