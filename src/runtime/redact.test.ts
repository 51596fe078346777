import { generateKeyPairSync, randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Destination } from './log.ts'
import { createLogger } from './log.ts'
import { isSecretName, redact, redactText } from './redact.ts'

interface Canary {
  readonly name: string
  /** As it would stand in a text. */
  readonly text: string
  /** Parts of it, none of which may be seen. */
  readonly parts: readonly string[]
}

const chunks = (text: string): string[] => text.match(/[\w+/-]{16,}/g) ?? []
const canary = (name: string, text: string, secret = text): Canary => ({ name, text, parts: chunks(secret) })

const keyCanaries = (name: string, key: ReturnType<typeof generateKeyPairSync>['privateKey']): Canary[] => {
  const pem = key.export({ format: 'pem', type: 'pkcs8' }).toString()
  const body = pem.replace(/-----[^-]+-----/g, '')
  const cutBehind = pem.slice(0, -30)
  const der = key.export({ format: 'der', type: 'pkcs8' }).toString('base64')
  const encoded = Buffer.from(pem).toString('base64')
  return [
    canary(`${name} PEM`, pem, body),
    canary(`${name} PEM, line ends escaped`, JSON.stringify(pem), body.split('\n').join(' ')),
    canary(`${name} PEM, cut off behind`, cutBehind, cutBehind.replace(/-----[^-]+-----/, '')),
    canary(`${name} PEM, cut off before`, pem.slice(40), body.slice(40)),
    canary(`${name} DER in base64`, der),
    canary(`${name} PEM in base64`, encoded),
  ]
}

const canaries: readonly Canary[] = [
  ...keyCanaries('RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
  ...keyCanaries('EC', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
  ...keyCanaries('Ed25519', generateKeyPairSync('ed25519').privateKey),
  canary('JKS', Buffer.concat([Buffer.from('feedfeed00000002', 'hex'), randomBytes(90)]).toString('base64')),
  canary(
    'JWT',
    ['{"alg":"RS256"}', '{"sub":"x"}', randomBytes(32)]
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.'),
  ),
  canary('bearer', 'Authorization: Bearer T0kenT0kenT0kenT0ken', 'T0kenT0kenT0kenT0ken'),
  canary('basic', 'authorization: Basic dXNlcjpwYXNzd29yZDEyMw', 'dXNlcjpwYXNzd29yZDEyMw'),
  canary('URL', 'postgres://admin:hunter2hunter2hunter2@db:5432/x', 'hunter2hunter2hunter2'),
  canary('parameter', 'sslpassword=hunter2hunter2hunter2&x=1', 'hunter2hunter2hunter2'),
  canary('JSON', '{"keystorePassword": "hunter2\\"hunter2hunter2hunter2"}', 'hunter2hunter2hunter2'),
]

const expectHidden = (output: string, hidden: Canary): void => {
  for (const part of hidden.parts)
    expect(output.includes(part), `${hidden.name}: "${part}" is in ${output}`).toBe(false)
}

describe('redactText', () => {
  it.each(canaries)('hides $name and keeps the words before it', (hidden) => {
    expect(hidden.parts.length).toBeGreaterThan(0)
    const seen = redactText(`cannot use this: ${hidden.text}`)
    expectHidden(seen, hidden)
    if (!hidden.name.endsWith('before')) expect(seen).toMatch(/^cannot use this: .*\[redacted/s)
  })

  it.each([
    'issued serial 4F0C9A3B5D7E1F2A3B4C5D6E7F809182 for data/orders-server',
    'sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    'the Secret data/orders-server-tls has no key "tls.crt"; add it',
    'password: the Secret data/p does not exist',
    'notBefore must be before notAfter ----- see docs',
    'CN=Orders CA,O=Acme',
    'https://127.0.0.1:6443/api/v1/namespaces/data/secrets?limit=500',
    'MINIMUM 2048, MAXIMUM 4096',
  ])('leaves alone: %s', (text) => {
    expect(redactText(text)).toBe(text)
  })

  it('keeps what stands between and behind PEM blocks', () => {
    const pem = '-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----'
    expect(redactText(`a ${pem} b ${pem} c`)).toBe('a [redacted PEM] b [redacted PEM] c')
  })

  it('hides a key across the place where a long text is cut', () => {
    const hidden = canaries.find(({ name }) => name === 'RSA DER in base64')
    if (!hidden) throw new Error('the canary is missing')
    for (const before of [8000, 8150, 65_400, 65_500])
      expectHidden(redactText(`${'x '.repeat(before / 2)}${hidden.text}`), hidden)
  })

  it('bounds the length of what it shows', () => {
    expect(redactText('x'.repeat(1e6)).length).toBeLessThan(8300)
  })
})

describe('isSecretName', () => {
  const secret =
    'data stringData binaryData password Passphrase privateKey private_key key token bearer-token client-key-data authorization keystorePassword'
  it.each(secret.split(' '))('%s', (name) => expect(isSecretName(name)).toBe(true))
  const harmless = 'name namespace object secretName keySize keyId serialNumber reason message metadata tokens-used'
  it.each(harmless.split(' '))('not %s', (name) => expect(isSecretName(name)).toBe(false))
})

/** Wraps a value in one more layer of something that people log. */
const wrappers: readonly ((inner: unknown) => unknown)[] = [
  (inner) => ({ inner }),
  (inner) => [1, inner],
  (inner) => new Map([['inner', inner]]),
  (inner) => new Set([inner]),
  (inner) => Object.assign(new Error('outer'), { detail: inner }),
  (inner) => new Error('outer', { cause: inner }),
  (inner) => new AggregateError([inner], 'several'),
  (inner) => ({ [typeof inner === 'string' ? inner : 'name']: 1, inner }),
  (inner) => ({ ['__proto__']: inner }),
  (inner) => new Error(typeof inner === 'string' ? inner : 'outer', { cause: inner }),
  (inner) => ({ password: { deep: inner } }),
  (inner) => Object.create(null, { inner: { value: inner, enumerable: true } }),
]

const collector = (): { destination: Destination; lines: string[] } => {
  const lines: string[] = []
  return { destination: { write: (line) => lines.push(line) }, lines }
}

describe('a logger', () => {
  const layers = fc.array(fc.constantFrom(...wrappers), { maxLength: 7 })
  const surroundings = fc.stringMatching(/^[ a-z:="'{]{0,20}$/)

  it.each(['json', 'text'] as const)(
    '%s: shows no secret, however deep, in fields, bindings, messages or errors',
    (format) => {
      fc.assert(
        fc.property(
          fc.constantFrom(...canaries),
          layers,
          surroundings,
          surroundings,
          (hidden, wraps, before, behind) => {
            const text = `${before} ${hidden.text} ${behind}`
            const value = wraps.reduce((inner, wrap) => wrap(inner), text as unknown)
            const { destination, lines } = collector()
            const log = createLogger({ level: 'debug', destination, format })
            log.info(text, { value })
            log.child({ value, [text]: 1 }).error('failed', { error: new Error(text, { cause: value }) })
            log.debug('secret names', { data: { 'tls.key': hidden.parts }, password: hidden.parts[0] })
            expect(lines).toHaveLength(3)
            for (const line of lines) expectHidden(line, hidden)
          },
        ),
        { numRuns: 150 },
      )
    },
  )
})

describe('redact', () => {
  it('survives whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withMap: true,
          withSet: true,
          withDate: true,
          withNullPrototype: true,
          withSparseArray: true,
          withTypedArray: true,
        }),
        (value) => {
          expect(() => JSON.stringify(redact({ value }))).not.toThrow()
        },
      ),
    )
  })

  it.each<[string, () => unknown, unknown]>([
    ['bytes', () => Buffer.from('hunter2'), '[7 bytes]'],
    ['a function', () => () => 1, '[function]'],
    ['a symbol', () => Symbol('x'), '[symbol]'],
    ['a big integer', () => 12n, '12'],
    ['a date', () => new Date(0), '1970-01-01T00:00:00.000Z'],
    ['a date that is none', () => new Date(Number.NaN), 'Invalid Date'],
    ['a URL', () => new URL('https://u:hunter2@h/'), 'https://u:[redacted]@h/'],
    [
      'a getter that throws',
      () => ({
        get trap(): never {
          throw new Error('trap')
        },
      }),
      '[unreadable]',
    ],
  ])('shows %s as something plain', (_, make, expected) => {
    expect(redact({ value: make() }).value).toBe(expected)
  })

  it('stops at cycles, at depth and at width', () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    expect(redact({ cycle })).toEqual({ cycle: { self: '[circular]' } })
    let deep: unknown = 'bottom'
    for (let i = 0; i < 10_000; i += 1) deep = [deep]
    expect(JSON.stringify(redact({ deep }))).toContain('[too deep]')
    const wide = Array.from({ length: 1000 }, (_, i) => i)
    expect(redact({ wide }).wide).toEqual([...wide.slice(0, 100), '… 900 more'])
  })

  it('an object that occurs twice is no cycle', () => {
    const twice = { a: 1 }
    expect(redact({ x: twice, y: [twice, twice] })).toEqual({ x: twice, y: [twice, twice] })
  })

  it('pollutes no prototype', () => {
    redact(JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}'))
    expect('polluted' in {}).toBe(false)
  })

  it('keeps name, message, stack, cause and own fields of an error', () => {
    const error = Object.assign(new TypeError('outer', { cause: new Error('inner') }), {
      code: 'E_X',
      token: 'hunter2',
    })
    expect(redact({ error }).error).toMatchObject({
      name: 'TypeError',
      message: 'outer',
      stack: expect.stringContaining('redact.test.ts'),
      cause: { message: 'inner' },
      code: 'E_X',
      token: '[redacted]',
    })
  })
})
