import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aliasProblem, fingerprintOf, trustAliases } from './aliases.ts'

describe('alias rules', () => {
  test.each(['tls', 'MySQLCACert', 'a b', 'x'.repeat(128), '~!"'])('accepts %j', (alias) => {
    expect(aliasProblem(alias)).toBeUndefined()
  })
  test.each([
    ['', 'empty'],
    ['x'.repeat(129), '129 characters'],
    ['käse', 'not printable ASCII'],
    ['a\n', 'not printable ASCII'],
    ['a\u0000b', 'not printable ASCII'],
    [' a', 'blank'],
    ['a ', 'blank'],
  ])('refuses %j', (alias, why) => {
    expect(aliasProblem(alias)).toContain(why)
  })
})

describe('aliases of a truststore', () => {
  const certificates = fc.uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 8 }), {
    minLength: 1,
    maxLength: 12,
    selector: (bytes) => Buffer.from(bytes).toString('hex'),
  })

  test('are unique, keep the order, and name the current CA plainly', () => {
    fc.assert(
      fc.property(certificates, fc.nat(), (roots, pick) => {
        const current = roots[pick % roots.length] as Uint8Array
        const aliases = trustAliases('ca', roots, current)
        expect(new Set(aliases).size).toBe(roots.length)
        for (const [index, root] of roots.entries()) {
          const wanted = root === current ? 'ca' : `ca-${fingerprintOf(root).slice(0, 8)}`
          expect(aliases[index]).toBe(wanted)
        }
      }),
    )
  })

  test('get more digits when two fingerprints begin alike', () => {
    // Found by search: the SHA-256 of both begins with these 32 bits.
    const [a, b] = twinsBySearch()
    const current = Uint8Array.of(0xff, 1, 2, 3)
    const aliases = trustAliases('ca', [current, a, b], current)
    expect(fingerprintOf(a).slice(0, 8)).toBe(fingerprintOf(b).slice(0, 8))
    expect(aliases.slice(1)).toEqual([a, b].map((root) => `ca-${fingerprintOf(root).slice(0, 16)}`))
  })
})

/** A birthday search: 2^17 tries find two of 2^32 fingerprints alike with near certainty. */
const twinsBySearch = (): [Uint8Array, Uint8Array] => {
  const seen = new Map<string, Uint8Array>()
  for (let i = 0; ; i += 1) {
    const candidate = Buffer.from(`certificate ${i}`)
    const start = fingerprintOf(candidate).slice(0, 8)
    const twin = seen.get(start)
    if (twin) return [twin, candidate]
    seen.set(start, candidate)
  }
}
