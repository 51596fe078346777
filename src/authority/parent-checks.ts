/**
 * What is asked of the authority above, where it is needed at all: a living intermediate is not disturbed by its parent's trouble.
 * Pure.
 */

import { type Check, stall, wait } from '../control/decision.ts'
import { renewalWindow, toTimestamp } from '../control/schedule.ts'
import { constraintViolations } from '../pki/constraints/check.ts'
import { nestingProblems } from '../pki/constraints/nesting.ts'
import { intentViolations } from '../pki/policy/policy.ts'
import type { Observed } from './observed.ts'

type AuthorityCheck = Check<Observed>

/** Asked whenever the parent is needed. */
export const parentPresent: readonly AuthorityCheck[] = [
  ({ parent }) => (parent?.state === 'missing' ? stall('AuthorityNotFound', parent.message) : undefined),
  ({ parent }) => (parent?.state === 'refused' ? stall('AuthorityNotAllowed', parent.message) : undefined),
  ({ parent }) => (parent?.state === 'notReady' ? wait('AuthorityNotReady', parent.message) : undefined),
]

/** Policy and name constraints of the authority above, of which the certificate asked for may break either. */
const parentForbids: AuthorityCheck = ({ parent, resolved }) => {
  if (parent?.state !== 'usable' || !('wanted' in resolved)) return undefined
  const { subject, nameConstraints, keyAlgorithm, parent: reference } = resolved.wanted
  const { policy, material } = parent
  const { nameConstraints: above = [], subject: issuer } = material.signer
  const intended = { subject, names: [], keyAlgorithm, duration: 0 }
  const ofPolicy = policy === undefined ? [] : intentViolations(policy, issuer, intended)
  const ofConstraints = [
    ...constraintViolations(above, intended, { closed: true }),
    ...(nameConstraints === undefined ? [] : nestingProblems(nameConstraints, above)),
  ]
  const said = `Authority "${reference?.name ?? ''}" does not sign this.`
  if (ofPolicy.length > 0) return stall('PolicyViolation', [said, ...ofPolicy, ...ofConstraints].join(' '))
  return ofConstraints.length === 0 ? undefined : stall('NameConstraintViolation', [said, ...ofConstraints].join(' '))
}

/** Asked when the parent has to sign. */
export const parentSigns: readonly AuthorityCheck[] = [
  ({ parent }) =>
    parent?.state === 'usable' && parent.material.givenUp === true
      ? wait(
          'AuthorityNotReady',
          'The authority above was revoked, and the next one signs when it is trusted everywhere.',
        )
      : undefined,
  ({ parent }) =>
    parent?.state === 'usable' && parent.material.keyless === true
      ? wait(
          'AuthorityNotReady',
          'The owner of the authority above has replaced it, and the next one signs when it is trusted everywhere.',
        )
      : undefined,
  ({ parent, resolved }) => {
    if (parent?.state !== 'usable' || !('wanted' in resolved) || resolved.wanted.parent === undefined) return undefined
    const limit = parent.material.signer.pathLength
    const asked = resolved.wanted.maxPathLength
    const { name } = resolved.wanted.parent
    if (limit === undefined || (limit > 0 && asked !== undefined && asked < limit)) return undefined
    return stall(
      'RequestInvalid',
      `Authority "${name}" has path length ${limit}, so it cannot sign an authority of path length ${asked ?? 'without limit'}. Raise spec.maxPathLength there or lower it here.`,
    )
  },
  ({ parent, resolved }, now) => {
    if (parent?.state !== 'usable' || !('wanted' in resolved)) return undefined
    const { renewal, duration } = resolved.wanted
    const left = parent.material.certificate.notAfter - now
    const least = renewal.renewBefore === undefined ? Math.min(60_000, duration / 10) : renewalWindow(renewal, duration)
    return left > least
      ? undefined
      : stall('AuthorityExpiring', 'The authority above ends too soon to sign another one. Renew it first.')
  },
  ({ parent }, now) =>
    parent?.state === 'usable' && parent.material.signer.notBefore > now
      ? wait(
          'AuthorityNotReady',
          `The authority above is not valid before ${toTimestamp(parent.material.signer.notBefore)}.`,
        )
      : undefined,
  parentForbids,
]
