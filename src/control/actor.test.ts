import { describe, expect, it } from 'vitest'
import { ApiError } from '../cluster/errors.ts'
import { databaseCertificates, type DatabaseCertificate } from '../resources/database-certificate.ts'
import { longestRequeueMs, type Result } from '../runtime/controller.ts'
import { ManualClock } from '../runtime/manual-clock.ts'
import { NotReady, Retryable, Terminal } from '../runtime/errors.ts'
import { Actor, type Acts } from './actor.ts'
import { ClockSkew, probeIntervalMs } from './clock-guard.ts'
import { encode, type Finding, issue, stall, wait } from './decision.ts'
import { isFailedIssuance } from './failure.ts'
import { waitingMs } from './report.ts'
import { never, rejection, stubContext } from './testing.ts'

type Kind = Acts<DatabaseCertificate, readonly Finding[]>

const object = (status?: object) =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseCertificate',
    metadata: { name: 'orders', namespace: 'data', uid: 'u', resourceVersion: '5', generation: 3 },
    spec: {},
    ...(status === undefined ? {} : { status }),
  }) as unknown as DatabaseCertificate

/** What looks at one object did: `make` issues, and each status written is what the next look sees. */
const stage = (make: () => Promise<() => Promise<Result>>, of = object()) => {
  const done: string[] = []
  let seen = of
  const clock = new ManualClock()
  const stub = stubContext(
    {
      updateStatus: async (_: unknown, { status = {} }: DatabaseCertificate) => {
        seen = { ...seen, status }
        return seen
      },
    },
    clock,
  )
  const acting =
    (act: string) =>
    async (_: unknown, why = ''): Promise<Result> => {
      done.push(`${act} ${why}`.trim())
      return {}
    }
  const { context } = stub
  let findings: readonly Finding[] = []
  const acts: Kind = {
    gather: async () => findings,
    decide: (all) => {
      const [first] = all
      return { cure: first?.cure ?? 'None', findings: all, acting: all }
    },
    issue: (look, why) => {
      done.push(`issue ${why}`)
      return actor.attempt(look, make)
    },
    encode: acting('encode'),
    settle: acting('settle'),
    isCounted: isFailedIssuance,
    onError: () => void done.push('error'),
  }
  const actor = new Actor(context, databaseCertificates, context.caches.certificates, acts)
  const look = (...found: Finding[]): Promise<Result> => {
    findings = found
    return actor.look(seen, never)
  }
  const conditions = (): string[] =>
    (seen.status?.conditions ?? []).map(
      ({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`,
    )
  return { ...stub, clock, done, look, conditions, status: () => seen.status }
}
const finished = async () => async (): Promise<Result> => ({ requeueAfterMs: 7 })
const fails = (error: Error) => async (): Promise<never> => {
  throw error
}
const now = issue('Issued', 'Its time has come.')

describe('a decision', () => {
  it('to stall looks again when time alone may have changed it', async () => {
    const { clock, look } = stage(finished)
    const [soon, later] = [5000, 9000].map((ms) => ({ ...stall('RequestInvalid', 'No.'), until: clock.now() + ms }))
    expect(await look(stall('RequestInvalid', 'No.'))).toEqual({ requeueAfterMs: longestRequeueMs })
    expect(await look(later as Finding, soon as Finding)).toEqual({ requeueAfterMs: 5000 })
  })

  it('to stall is a condition and one event, however often it is taken', async () => {
    const { look, conditions, events, done } = stage(finished)
    const found = [stall('RequestInvalid', 'One.'), stall('NotImplemented', 'Two.')]
    expect(await look(...found)).toEqual({ requeueAfterMs: longestRequeueMs })
    expect(conditions()).toEqual(['Ready False RequestInvalid: One. Two.', 'Stalled True RequestInvalid: One. Two.'])
    await look(...found)
    expect(events.map(({ type, reason, note }) => `${type} ${reason}: ${note}`)).toEqual([
      'Warning RequestInvalid: One. Two.',
    ])
    expect(done).toEqual([])
  })
  it('to wait is a condition without an event', async () => {
    const { look, conditions, events } = stage(finished)
    expect(await look(wait('AuthorityNotReady', 'Soon.'))).toEqual({ requeueAfterMs: waitingMs })
    expect(conditions()).toEqual(['Ready False AuthorityNotReady: Soon.', 'Reconciling True AuthorityNotReady: Soon.'])
    expect(events).toEqual([])
  })
  it.each([
    { found: [encode('Encoding', 'The password is another.')], does: ['encode The password is another.'] },
    { found: [now], does: ['issue Its time has come.'] },
    { found: [], does: ['settle'] },
  ])('is left to the act of the kind: $does', async ({ found, does }) => {
    const { look, done, wrote } = stage(finished)
    await look(...found)
    expect(done).toEqual(does)
    expect(wrote).toEqual([])
  })
})

describe('an attempt to issue', () => {
  it('ends with what follows it', async () => {
    const { look, wrote } = stage(finished)
    expect(await look(now)).toEqual({ requeueAfterMs: 7 })
    expect(wrote).toEqual([])
  })

  it('that failed is counted, and waits as status says', async () => {
    let tries = 0
    const { look, status, conditions, clock, done } = stage(() => {
      tries += 1
      throw new TypeError('out of luck')
    })
    expect(await look(now)).toEqual({ requeueAfterMs: 10_000 })
    expect(status()).toMatchObject({ failedAttempts: 1, nextAttemptAt: '2026-01-01T00:00:10Z' })
    expect(conditions()[1]).toContain('Reconciling True IssuanceFailed: Issuance failed 1 time; ')
    clock.setNow(clock.now() + 4000)
    expect(await look(now)).toEqual({ requeueAfterMs: 6000 })
    expect(tries).toBe(1)
    clock.setNow(clock.now() + 6000)
    expect(await look(now)).toEqual({ requeueAfterMs: 20_000 })
    expect(tries).toBe(2)
    expect(done).not.toContain('error')
  })

  it('is not counted as failed for what goes wrong after it', async () => {
    const error = new ApiError({ status: 403, reason: 'Forbidden', message: 'm' })
    const { look, status, done } = stage(async () => fails(error))
    expect(await rejection(look(now))).toBe(error)
    expect(status()).toBeUndefined()
    expect(done).toContain('error')
  })

  it.each([
    {
      name: 'stalls',
      error: new Terminal('SecretTooLarge', 'Too large.'),
      says: 'Stalled True SecretTooLarge',
      rejects: false,
    },
    {
      name: 'is told and tried again',
      error: new Retryable('WriteFailed', 'No.', { cause: new ApiError({ status: 403, reason: 'x', message: 'm' }) }),
      says: 'Reconciling True WriteFailed',
      rejects: true,
    },
    { name: 'is tried again in silence', error: new Retryable('Conflict', 'Changed.'), says: undefined, rejects: true },
    { name: 'waits in silence', error: new NotReady('NamespaceTerminating', 'Gone.'), says: undefined, rejects: true },
  ])('$name after $error', async ({ error, says, rejects }) => {
    const { look, conditions, done } = stage(fails(error))
    const result = await rejection(look(now)).catch(() => undefined)
    expect(result).toBe(rejects ? error : undefined)
    expect(done).toContain('error')
    if (says === undefined) expect(conditions()).toEqual([])
    else expect(conditions().join('\n')).toContain(says)
  })

  it.each([
    { is: 'not Ready', before: undefined, writes: 1 },
    {
      is: 'Ready',
      before: {
        conditions: [{ type: 'Ready', status: 'True', observedGeneration: 3, reason: 'Issued', message: 'm' }],
      },
      writes: 0,
    },
  ])('waits while the clocks disagree, and writes $writes times to what is $is', async ({ before, writes }) => {
    let tries = 0
    const { look, wrote, events, context, clock } = stage(() => {
      tries += 1
      context.clockGuard.judge(new Date(clock.now() - 3_600_000).toISOString())
      return finished()
    }, object(before))
    expect(await look(now)).toEqual({ requeueAfterMs: probeIntervalMs })
    expect(events.map(({ reason }) => reason)).toEqual(['IssuanceFailed'])
    expect(wrote).toHaveLength(writes)
    const { requeueAfterMs = 0 } = await look(now)
    expect(requeueAfterMs).toBeGreaterThan(0)
    expect(tries).toBe(1)
    expect(() => context.clockGuard.judge(new Date(0).toISOString())).toThrow(ClockSkew)
  })
})
