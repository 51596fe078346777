import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import { waves } from './order.ts'

describe('the order of creation', () => {
  it('keeps rivals apart, in the order of then, and leaves nobody out', () => {
    const thing = fc.record({ age: fc.nat(5), rivals: fc.uniqueArray(fc.nat(4), { maxLength: 2 }) })
    fc.assert(
      fc.property(fc.array(thing), (things) => {
        const objects = things.map(
          ({ age, rivals }, at) =>
            ({
              kind: 'CertificateAuthority',
              metadata: {
                name: `n${at}`,
                namespace: 'data',
                uid: `u${at}`,
                creationTimestamp: `2026-01-01T00:00:0${age}Z`,
              },
              rivals,
            }) as unknown as CertificateAuthority,
        )
        const rivalsOf = (one: CertificateAuthority) => (one as unknown as { rivals: number[] }).rivals.map(String)
        const made = waves(objects, rivalsOf)
        expect(made.flat().length).toBe(objects.length)
        expect(new Set(made.flat())).toEqual(new Set(objects))
        const waveOf = new Map(made.flatMap((wave, at) => wave.map((one) => [one, at] as const)))
        for (const a of objects)
          for (const b of objects) {
            if (a === b || !rivalsOf(a).some((key) => rivalsOf(b).includes(key))) continue
            const [first, second] = [a, b].map((one) => `${one.metadata.creationTimestamp} ${one.metadata.uid}`)
            expect((waveOf.get(a) ?? 0) < (waveOf.get(b) ?? 0)).toBe((first ?? '') < (second ?? ''))
          }
      }),
    )
  })
})
