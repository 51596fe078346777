import { describe, expect, it } from 'vitest'
import { ApiError } from '../../cluster/errors.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { lookUntil } from './wait.ts'

const unavailable = (status: number) => new ApiError({ status, reason: 'Unavailable', message: `answer ${status}` })

/** Waits on a clock that is moved on whenever somebody sleeps; `answers` are those of the looks, the last one for all others. */
const wait = async (timeoutMs: number, ...answers: readonly (boolean | Error)[]) => {
  const clock = new ManualClock()
  let looks = 0
  const found = lookUntil(clock, timeoutMs, () => {
    const answer = answers[Math.min(looks, answers.length - 1)] ?? false
    looks += 1
    return typeof answer === 'boolean' ? Promise.resolve(answer) : Promise.reject(answer)
  })
  const settled = found.then(
    (seen) => seen,
    (error: unknown) => (error as Error).message,
  )
  const state = { over: false }
  void settled.then(() => (state.over = true))
  while (!state.over) await clock.advance(100)
  return { found: await settled, looks, ms: clock.monotonic() }
}

describe('a wait', () => {
  it.each<[string, (boolean | Error)[], boolean | string]>([
    ['ends with the first look that sees enough', [false, false, true], true],
    ['ends when the time is up', [false], false],
    ['goes on while the API server is away', [unavailable(0), unavailable(503), unavailable(429), true], true],
    ['ends with what is wrong at the end of the time', [false, unavailable(0)], 'answer 0'],
    ['ends at once with what does not pass', [unavailable(403), true], 'answer 403'],
    ['ends at once without credentials', [unavailable(401), true], 'answer 401'],
    ['ends at once with a mistake of the program', [new TypeError('x'), true], 'x'],
  ])('%s', async (_, answers, expected) => {
    expect((await wait(5_000, ...answers)).found).toBe(expected)
  })
  it('looks at once, and a last time when the time is up', async () => {
    const { looks, ms } = await wait(1_200, false)
    expect([looks, ms >= 1_200 && ms <= 1_300]).toEqual([4, true])
  })
})
