import { describe, expect, it } from 'vitest'
import { ApiError } from '../cluster/errors.ts'
import { IssueError } from '../pki/certificates/certificate.ts'
import { PlanError } from '../pki/certificates/plans.ts'
import { NotReady, Retryable, Terminal } from '../runtime/errors.ts'
import { failed, isFailedIssuance, isRefused, untilNextAttempt } from './failure.ts'

const now = Date.UTC(2026, 10, 21)
const api = (status: number, reason = 'x'): ApiError => new ApiError({ status, reason, message: 'm' })

describe('a failed issuance', () => {
  it.each([
    { error: new PlanError('p'), is: true },
    { error: new IssueError(['i']), is: true },
    { error: new TypeError('t'), is: true },
    { error: 'a string', is: true },
    { error: api(403), is: true },
    { error: api(422), is: true },
    { error: api(409, 'Conflict'), is: false },
    { error: api(0), is: false },
    { error: api(503), is: false },
    { error: new Retryable('Conflict', 'm'), is: false },
    { error: new Retryable('WriteFailed', 'm', { cause: api(403) }), is: false },
    { error: new NotReady('NamespaceTerminating', 'm'), is: false },
    { error: new Terminal('SecretTooLarge', 'm'), is: false },
  ])('$error is one: $is', ({ error, is }) => {
    expect(isFailedIssuance(error)).toBe(is)
  })

  it('is told from a Secret that the cluster refuses', () => {
    expect(isRefused(new Retryable('WriteFailed', 'm', { cause: api(403) }))).toBe(true)
    expect(isRefused(new Retryable('Conflict', 'm', { cause: api(409) }))).toBe(false)
    expect(isRefused(api(403))).toBe(false)
  })

  it('counts, dates and doubles the wait', () => {
    const first = failed(undefined, new PlanError('The CA has expired.'), now)
    expect(first.facts).toEqual({
      failedAttempts: 1,
      lastFailure: { time: '2026-11-21T00:00:00Z', reason: 'IssuanceFailed', message: 'The CA has expired.' },
      nextAttemptAt: '2026-11-21T00:00:10Z',
    })
    expect(first.message).toContain('The CA has expired.')
    const third = failed({ failedAttempts: 2 }, 'x', now)
    expect(third.facts.failedAttempts).toBe(3)
    expect(third.waitMs).toBe(40_000)
  })

  it('does not repeat a message of a megabyte', () => {
    expect(failed({}, new Error('x'.repeat(1_000_000)), now).message.length).toBeLessThan(1200)
  })
})

describe('the wait for the next attempt', () => {
  const object = (nextAttemptAt: string | undefined, observedGeneration = 1) => ({
    metadata: { generation: 1 },
    status: { nextAttemptAt, observedGeneration },
  })
  it.each([
    { name: 'lasts as status says', of: object('2026-11-21T00:00:10Z'), left: 10_000 },
    { name: 'is an hour at most', of: object('2026-11-21T01:00:00Z'), left: 3_600_000 },
    { name: 'is over', of: object('2026-11-20T23:59:59Z'), left: undefined },
    { name: 'is over in this very second', of: object('2026-11-21T00:00:00Z'), left: undefined },
    { name: 'ends with a changed spec', of: object('2026-11-21T00:00:10Z', 0), left: undefined },
    { name: 'does not outlast a clock set back', of: object('2036-11-21T00:00:10Z'), left: undefined },
    { name: 'is none without a failure', of: object(undefined), left: undefined },
    { name: 'is none in a new object', of: { metadata: { generation: 1 } }, left: undefined },
    { name: 'is none when it cannot be read', of: object('junk'), left: undefined },
  ])('$name', ({ of, left }) => {
    expect(untilNextAttempt(of, now)).toBe(left)
  })
})
