import { describe, expect, test } from 'vitest'
import { parseRetryAfter, statusError } from './status.ts'

const pem = '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----'

describe('an error of the API server', () => {
  test('keeps code, reason, causes and the wait it asks for', () => {
    const error = statusError(
      {
        kind: 'Status',
        code: 504,
        reason: 'Timeout',
        message: 'Too large resource version',
        details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'm', field: 'f' }, 7], retryAfterSeconds: 1 },
      },
      { fallbackStatus: 504, what: 'list things' },
    )
    expect(error).toMatchObject({ status: 504, reason: 'Timeout', retryAfterMs: 1000, ambiguous: false })
    expect(error.causes).toEqual([{ reason: 'ResourceVersionTooLarge', message: 'm', field: 'f' }])
  })

  test.each([
    [undefined, 429, 'TooManyRequests'],
    ['<html>', 502, 'BadGateway'],
    [{ code: 'x', reason: 5, message: [] }, 500, 'InternalError'],
    [null, 418, 'Unknown'],
  ])('with the body %j and status %i has the reason %s', (body, fallbackStatus, reason) => {
    expect(statusError(body, { fallbackStatus, what: 'get things a' })).toMatchObject({
      status: fallbackStatus,
      reason,
    })
  })

  test('hides PEM, and values quoted from the data of a Secret, but not other fields', () => {
    const message = `Secret "x" is invalid: data[tls.key]: Invalid value: "hunter2": bad, type: Invalid value: "Foo": field is immutable`
    const error = statusError(
      { message, details: { causes: [{ field: 'data[tls.key]', message: 'Invalid value: "hunter2": bad' }] } },
      { fallbackStatus: 422, what: '', secret: true },
    )
    expect(JSON.stringify([error.message, error.causes])).not.toContain('hunter2')
    expect(error.message).toContain('"Foo": field is immutable')
    expect(statusError({ message: `spec: ${pem} is bad` }, { fallbackStatus: 422, what: '' }).message).toBe(
      'spec: <PEM> is bad',
    )
  })
})

test.each([
  ['3', 3000],
  ['Thu, 01 Jan 1970 00:00:12 GMT', 2000],
  ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %j is %s ms', (value, ms) => {
  expect(parseRetryAfter(value, 10_000)).toBe(ms)
})
