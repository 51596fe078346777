import { describe, expect, it } from 'vitest'
import type { Cached, Known } from './decide.ts'
import { statusOf } from './status.ts'
import { nothing, type Target, type Wanted } from './wanted.ts'

const target: Target = { field: 't', kind: 'ConfigMap', name: 'trust', items: [], hash: 'h' }
const id = (at: number): string => `ConfigMap n${at}/trust`
const wanted = (count: number): Wanted => ({
  ...nothing,
  placements: new Map(Array.from({ length: count }, (_, at) => [id(at), { target, namespace: `n${at}` }])),
})
const version: Cached = { uid: 'u', resourceVersion: '1' }
const right: Known = { ...version, ours: true, hash: 'h' }
const reported = (known: readonly Known[], notes: readonly string[] = [], cached: Cached = version) => ({
  wanted: wanted(known.length),
  known: new Map(known.map((one, at) => [id(at), one])),
  cached: () => cached,
  notes,
})

describe('status.trustTargets', () => {
  it('counts what holds the present bundle, and names what does not', () => {
    const blocked: Known = { ...version, ours: false, blocked: 'In the way.' }
    const status = statusOf(reported([right, blocked, { ...right, hash: 'former' }]), undefined, true)
    expect(status).toMatchObject({ wanted: 3, current: 1, message: 'In the way.' })
  })

  it('does not count what changed since it was verified', () => {
    expect(statusOf(reported([right], [], { ...version, resourceVersion: '2' }), undefined, true).current).toBe(0)
  })

  it('says the same whatever order the findings come in, each once, and not all of very many', () => {
    const notes = Array.from({ length: 12 }, (_, at) => `Note ${String(at).padStart(2, '0')}.`)
    const one = statusOf(reported([right], notes), undefined, true)
    const other = statusOf(reported([right], [...notes.toReversed(), ...notes]), undefined, true)
    expect(one).toEqual(other)
    expect(one.message).toMatch(/^Note 00\. .*Note 07\. And 4 more\.$/)
  })

  it('is not written for a version that somebody else moved', () => {
    const before = statusOf(reported([right]), undefined, true)
    const moved = { ...version, resourceVersion: '2' }
    const after = reported([{ ...right, ...moved }], [], moved)
    expect(statusOf(after, before, false)).toEqual(before)
    expect(statusOf(after, before, true)).not.toEqual(before)
  })
})
