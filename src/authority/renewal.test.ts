import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dueForRenewal, isOver } from './renewal.ts'
import { stages } from './stage.ts'

const day = 24 * 3_600_000
const of = (stage: (typeof stages)[number]) => ({ stage, certificate: { notBefore: 0, notAfter: 30 * day } })
const rule = (replaced: boolean, asked = false) => ({ renewal: { renewBefore: 10 * day }, replaced, asked })

describe('the renewal of a CA with the same key', () => {
  it('comes in its time where nothing is to follow it', () => {
    const due = dueForRenewal(rule(false), of('Plain'), 'u', day)
    expect(due).toBeLessThanOrEqual(20 * day)
    // However late.
    expect(dueForRenewal(rule(false), of('Plain'), 'u', 40 * day)).toBe(due)
  })

  it.each(stages)('waits for the last tenth of its window in a rotation, and for one to come: %s', (stage) => {
    const due = dueForRenewal(rule(true), of(stage), 'u', day)
    expect(due).toBe(29 * day)
    if (stage !== 'Plain') expect(dueForRenewal(rule(false), of(stage), 'u', day)).toBe(29 * day)
  })

  it.each(['Plain', 'Next', 'Both'] as const)(
    'is not made up for where another one follows what has ended: %s',
    (stage) => expect(dueForRenewal(rule(true), of(stage), 'u', 30 * day)).toBe(Infinity),
  )

  it('comes in its time where somebody has asked for another key, which may take months to come', () => {
    const due = dueForRenewal(rule(false), of('Plain'), 'u', day)
    for (const now of [day, due, 30 * day - 1])
      expect(dueForRenewal(rule(false, true), of('Plain'), 'u', now)).toBe(due)
  })

  it('is not made up for then either, once it has ended', () => {
    expect(dueForRenewal(rule(false, true), of('Plain'), 'u', 30 * day)).toBe(Infinity)
    const due = dueForRenewal({ ...rule(false, true), heldUp: true }, of('Plain'), 'u', 30 * day)
    expect(due).toBeLessThan(30 * day)
  })

  it('is made up for where what is to follow cannot come yet, and others may need this one', () => {
    expect(dueForRenewal({ ...rule(true), heldUp: true }, of('Plain'), 'u', 30 * day)).toBe(29 * day)
    expect(dueForRenewal({ ...rule(true), heldUp: true }, of('Next'), 'u', 30 * day)).toBe(Infinity)
  })

  it('looks for those only where one has ended at rest, and another one is to come', () => {
    const { certificate } = of('Plain')
    for (const stage of stages)
      for (const { replaced, asked } of [rule(false), rule(true), rule(false, true), rule(true, true)])
        for (const now of [certificate.notAfter - 1, certificate.notAfter]) {
          const isSo = stage === 'Plain' && (replaced || asked) && now === certificate.notAfter
          expect(isOver({ replaced, asked }, of(stage), now)).toBe(isSo)
        }
  })

  it.each(['Switched', 'Dropped'] as const)('is made up for by what signs already: nobody else could: %s', (stage) =>
    expect(dueForRenewal(rule(true), of(stage), 'u', 40 * day)).toBe(29 * day),
  )

  it('is always before the end, whatever the window', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 1, max: 4000 }), (lifetime, window) => {
        const certificate = { notBefore: 0, notAfter: lifetime * day }
        const due = dueForRenewal(
          { renewal: { renewBefore: window * day }, replaced: true, asked: false },
          { stage: 'Both', certificate },
          'u',
          0,
        )
        expect(due).toBeLessThan(certificate.notAfter)
      }),
    )
  })
})
