import { describe, expect, it } from 'vitest'
import type { LoggerOptions, LogLevel } from './log.ts'
import { createLogger, silentLogger } from './log.ts'
import { ManualClock } from './manual-clock.ts'

const setUp = (options: LoggerOptions = {}) => {
  const lines: string[] = []
  const clock = new ManualClock(Date.UTC(2026, 10, 21, 9, 30, 0, 123))
  const log = createLogger({ level: 'debug', clock, destination: { write: (line) => lines.push(line) }, ...options })
  return { log, lines }
}

describe('createLogger', () => {
  it('json: one object a line, with ISO time and the level by name', () => {
    const { log, lines } = setUp()
    log.info('issued', { object: 'data/orders', revision: 3 })
    expect(lines.map((line) => line.endsWith('\n'))).toEqual([true])
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'info',
      time: '2026-11-21T09:30:00.123Z',
      object: 'data/orders',
      revision: 3,
      msg: 'issued',
    })
  })

  it('text: one short line an entry', () => {
    const { log, lines } = setUp({ format: 'text' })
    log.child({ object: 'data/orders' }).warn('not ready', {
      reason: 'AuthorityMissing',
      message: 'no such CA',
      absent: undefined,
      error: new Error('boom'),
    })
    expect(lines).toEqual([
      '09:30:00.123 WARN  not ready object=data/orders reason=AuthorityMissing message="no such CA" error="boom"\n',
    ])
  })

  it('text: no value can forge a second line or drive the terminal', () => {
    const { log, lines } = setUp({ format: 'text' })
    log.info('a\n09:30:00 ERROR forged\u001b[2J', { object: 'x\u2028y\r\n\u009b1m', ['na\nme']: 1 })
    expect(lines).toHaveLength(1)
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    expect(lines[0]?.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
    expect(lines[0]).toContain('a\\n09:30:00 ERROR forged\\u001b[2J')
  })

  it('json: a field cannot pass for the level, the time or the message', () => {
    const { log, lines } = setUp()
    log.child({ level: 'fatal' }).info('real', { msg: 'fake', time: 'never' })
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'info',
      time: '2026-11-21T09:30:00.123Z',
      'field.level': 'fatal',
      'field.msg': 'fake',
      'field.time': 'never',
      msg: 'real',
    })
    expect(lines[0]?.match(/"msg":/g)).toHaveLength(1)
  })

  it.each<[LogLevel, string[]]>([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
    ['silent', []],
  ])('level %s shows %j', (level, shown) => {
    const { log, lines } = setUp({ level })
    const child = log.child({ x: 1 })
    for (const entry of ['debug', 'info', 'warn', 'error'] as const) child[entry]('m')
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(shown)
  })

  it('a child adds its fields and overrides its parent, which stays as it was', () => {
    const { log, lines } = setUp()
    const parent = log.child({ a: 1, b: 1 })
    parent.child({ b: 2, password: 'hunter2' }).info('child')
    parent.info('parent')
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { a: 1, b: 2, password: '[redacted]', msg: 'child' },
      { a: 1, b: 1, msg: 'parent' },
    ])
    expect(JSON.parse(lines[1] ?? '')).not.toHaveProperty('password')
  })

  it('says nothing when silent', () => {
    expect(() => silentLogger().child({ a: 1 }).error('x')).not.toThrow()
  })
})
