import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { generatePassword, passwordProblem } from './passwords.ts'

describe('generated passwords', () => {
  test('are letters and digits, long enough, and different', () => {
    const passwords = Array.from({ length: 50 }, () => generatePassword(randomBytes))
    for (const password of passwords) {
      expect(password).toMatch(/^[A-Za-z0-9]{24,}$/)
      expect(passwordProblem(password)).toBeUndefined()
    }
    expect(new Set(passwords).size).toBe(passwords.length)
  })

  test('make every character equally likely: four octets lead to each, the rest is drawn again', () => {
    const counts = new Map<string, number>()
    for (let octet = 0; octet < 248; octet += 1) {
      const [character = ''] = generatePassword((size) => new Uint8Array(size).fill(octet))
      counts.set(character, (counts.get(character) ?? 0) + 1)
    }
    expect([...counts.values()]).toEqual(Array.from({ length: 62 }, () => 4))

    const draws = [255, 254, 253, 252, 251, 250, 249, 248, 9]
    expect(generatePassword((size) => new Uint8Array(size).fill(draws.shift() ?? 8))).toMatch(/^J+$/)
  })
})

describe('password rules', () => {
  test.each(['secret', 'changeit', 'with blanks in it', '~'.repeat(1024)])('accepts %j', (password) => {
    expect(passwordProblem(password)).toBeUndefined()
  })
  test.each([
    ['', 'at least 6'],
    ['short', 'at least 6'],
    ['changeit\n', 'newline'],
    ['changeit\r\n', 'newline'],
    ['tab\tinside', 'printable ASCII'],
    ['pässwort', 'printable ASCII'],
    ['x'.repeat(1025), 'at most 1024'],
  ])('refuses %j', (password, why) => {
    expect(passwordProblem(password)).toContain(why)
  })
  test('never quotes the password', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, unit: fc.constantFrom('ä', 'Q', '#') }), (password) => {
        expect(passwordProblem(password) ?? '').not.toContain(password)
      }),
    )
  })
})
