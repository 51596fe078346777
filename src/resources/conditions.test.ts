import { describe, expect, it } from 'vitest'
import type { Condition, WantedConditions } from './conditions.ts'
import { isReady, withConditions, withOtherConditions } from './conditions.ts'

const at = Date.UTC(2026, 0, 31, 12, 0, 0, 999)
const later = at + 3_600_000
const ready: WantedConditions = { ready: { status: 'True', reason: 'Issued', message: 'valid' } }
const failing: WantedConditions = {
  ready: { status: 'False', reason: 'SecretInTheWay', message: 'rename it' },
  stalled: { reason: 'SecretInTheWay', message: 'rename it' },
}

const types = (list: readonly Condition[]) => list.map((one) => one.type)

describe('withConditions', () => {
  it('sets Ready at the first visit, with the generation and whole seconds', () => {
    expect(withConditions(undefined, ready, at, 3)).toEqual([
      {
        type: 'Ready',
        status: 'True',
        observedGeneration: 3,
        lastTransitionTime: '2026-01-31T12:00:00Z',
        reason: 'Issued',
        message: 'valid',
      },
    ])
  })

  it('gives back the very same list when nothing changed', () => {
    const first = withConditions(undefined, failing, at, 1)
    expect(withConditions(first, failing, later, 1)).toBe(first)
  })

  it('keeps the time of the last transition while only reason, message or generation change', () => {
    const first = withConditions(undefined, ready, at, 1)
    const second = withConditions(first, { ready: { status: 'True', reason: 'Renewing', message: 'soon' } }, later, 2)
    expect(second[0]).toMatchObject({ reason: 'Renewing', message: 'soon', observedGeneration: 2 })
    expect(second[0]?.lastTransitionTime).toBe('2026-01-31T12:00:00Z')
  })

  it('moves the time when the status changes', () => {
    const second = withConditions(withConditions(undefined, ready, at, 1), failing, later, 1)
    expect(second[0]?.lastTransitionTime).toBe('2026-01-31T13:00:00Z')
  })

  it('has Reconciling and Stalled only while they are true', () => {
    const stalled = withConditions(undefined, failing, at, 1)
    expect(types(stalled)).toEqual(['Ready', 'Stalled'])
    const busy = withConditions(stalled, { ...ready, reconciling: { reason: 'Renewing', message: 'm' } }, at, 1)
    expect(types(busy)).toEqual(['Ready', 'Reconciling'])
    expect(types(withConditions(busy, ready, at, 1))).toEqual(['Ready'])
  })

  it('never shows progress beside a standstill', () => {
    const both = { ...failing, reconciling: { reason: 'Issuing', message: 'm' } }
    expect(types(withConditions(undefined, both, at, 1))).toEqual(['Ready', 'Stalled'])
  })

  it('keeps conditions that others have set', () => {
    const foreign = { ...withConditions(undefined, ready, at, 1)[0], type: 'Audited' } as Condition
    expect(withConditions([foreign], ready, at, 1)).toContainEqual(foreign)
  })
})

describe('isReady', () => {
  const conditions = [...withConditions(undefined, ready, at, 2)]
  it.each([
    ['of this generation', { metadata: { generation: 2 }, status: { conditions } }, true],
    ['of an older generation', { metadata: { generation: 3 }, status: { conditions } }, false],
    ['without a status', { metadata: { generation: 1 } }, false],
    [
      'failing',
      { metadata: { generation: 1 }, status: { conditions: [...withConditions([], failing, at, 1)] } },
      false,
    ],
  ])('%s', (_, object, expected) => {
    expect(isReady(object)).toBe(expected)
  })
})

describe('conditions of other types', () => {
  const first = withConditions(undefined, ready, at, 1)
  const old = { status: 'False', reason: 'OldCertificateServed', message: 'a' } as const
  const serving = withOtherConditions(first, { Serving: old }, at, 1)

  it('stand beside the usual ones, which do not take them away', () => {
    expect(types(serving)).toEqual(['Ready', 'Serving'])
    expect(types(withConditions(serving, failing, later, 2))).toEqual(['Ready', 'Stalled', 'Serving'])
  })
  it('are the very same list while nothing changes', () => {
    expect(withOtherConditions(serving, { Serving: old }, later, 1)).toBe(serving)
    expect(withOtherConditions(first, { Serving: undefined, Other: undefined }, later, 1)).toBe(first)
    expect(withOtherConditions(first, {}, later, 1)).toBe(first)
  })
  it('have the time of their own last transition', () => {
    const reworded = withOtherConditions(serving, { Serving: { ...old, message: 'b' } }, later, 1)
    expect(reworded[1]).toMatchObject({ message: 'b', lastTransitionTime: '2026-01-31T12:00:00Z' })
    const good = withOtherConditions(reworded, { Serving: { ...old, status: 'True' } }, later, 2)
    expect(good[1]).toMatchObject({ status: 'True', lastTransitionTime: '2026-01-31T13:00:00Z', observedGeneration: 2 })
  })
  it('go when they are wanted no longer', () =>
    expect(types(withOtherConditions(serving, { Serving: undefined }, later, 1))).toEqual(['Ready']))
})
