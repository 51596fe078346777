import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { marks } from '../control/context.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { asksForRenewal, renewTriggerOf } from './renew-trigger.ts'

const triggerOf = (renewTrigger?: string, annotation?: string): string =>
  renewTriggerOf({
    metadata: { name: 'x', ...(annotation === undefined ? {} : { annotations: { [marks.renewTrigger]: annotation } }) },
    spec: { renewTrigger } as DatabaseCertificate['spec'],
  })

describe('a trigger', () => {
  it.each([
    { name: 'that is the same', before: ['a', 'b'], now: ['a', 'b'], asks: false },
    { name: 'that comes by annotation', before: [undefined, undefined], now: [undefined, 'b'], asks: true },
    { name: 'that changes by annotation', before: ['a', 'b'], now: ['a', 'c'], asks: true },
    { name: 'that is taken away by annotation', before: ['a', 'b'], now: ['a', undefined], asks: false },
    {
      name: 'that was the only one and is taken away',
      before: [undefined, 'b'],
      now: [undefined, undefined],
      asks: false,
    },
    { name: 'that is emptied by annotation', before: [undefined, 'b'], now: [undefined, ''], asks: false },
    { name: 'that changes in the spec', before: ['a', undefined], now: ['b', undefined], asks: true },
    { name: 'that goes from the spec', before: ['a', undefined], now: [undefined, undefined], asks: true },
    { name: 'that loses a word in the spec', before: ['a b', undefined], now: ['a', undefined], asks: true },
    {
      name: 'that changes in the spec while the annotation goes',
      before: ['a', 'b'],
      now: ['c', undefined],
      asks: true,
    },
    {
      name: 'that is long and loses its annotation',
      before: ['a'.repeat(250), 'b'],
      now: ['a'.repeat(250), undefined],
      asks: false,
    },
  ])('$name asks: $asks', ({ before, now, asks }) => {
    expect(asksForRenewal(triggerOf(...before), triggerOf(...now))).toBe(asks)
  })

  it('fits into a status, and differs where the texts differ', () => {
    const part = fc.string({ maxLength: 256 })
    fc.assert(
      fc.property(part, part, part, (spec, one, other) => {
        expect(triggerOf(spec, one).length).toBeLessThanOrEqual(256)
        expect(triggerOf(spec, one) === triggerOf(spec, other)).toBe(one === other)
      }),
    )
  })
})
