import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toTimestamp } from '../control/schedule.ts'
import { most, viewOf } from './view.ts'

const day = 86_400_000
const now = Date.parse('2027-01-01T00:00:00Z')
const ready = (status = 'True', message = 'Fine.') => [{ type: 'Ready', status, reason: 'R', message }]

const authority = (name: string, days: number, rotation?: object, spec: object = {}) => ({
  metadata: { name, namespace: 'data' },
  spec,
  status: {
    conditions: ready(),
    certificate: { notBefore: toTimestamp(now), notAfter: toTimestamp(now + days * day) },
    rotation,
  },
})
const certificate = (name: string, days: number, conditions: object[] = ready()) => ({
  metadata: { name, namespace: 'data' },
  status: { conditions, notBefore: toTimestamp(now), notAfter: toTimestamp(now + days * day) },
})
const view = (world: object) => viewOf({ authorities: [], certificates: [], profiles: [], now, ...world })
const names = ({ rows }: { readonly rows: readonly { readonly name: string }[] }): string[] =>
  rows.map(({ name }) => name)

describe('the view of the caches', () => {
  it.each([
    [-1, 'ended'],
    [0, 'ended'],
    [0.5, 'within a day'],
    [7, 'within a week'],
    [29, 'within 30 days'],
    [90, 'within 90 days'],
    [300, 'within a year'],
    [366, 'later'],
    [36_500, 'later'],
  ])('counts what ends in %d days as %s', (days, label) => {
    const { spans } = view({ certificates: [certificate('a', days)], authorities: [authority('ca', days)] })
    expect(spans.filter((span) => span.certificates + span.authorities > 0)).toEqual([
      { label, authorities: 1, certificates: 1 },
    ])
  })

  it('lists what ends first, in order, and counts the rest', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 400 }), (days) => {
        const all = days.map((end, at) => certificate(String(at), end))
        const { certificates, counts } = view({ certificates: all })
        const ends = days.toSorted((a, b) => a - b).slice(0, most.certificates)
        expect(certificates.rows.map(({ notAfter }) => notAfter)).toEqual(
          ends.map((end) => toTimestamp(now + end * day)),
        )
        expect([certificates.total, counts.certificates.all]).toEqual([days.length, days.length])
      }),
    )
  })

  it('counts what has no end and is not Ready, and tells why of what is listed', () => {
    const failing = certificate('failing', 3, ready('False', 'No CA.'))
    const { counts, certificates } = view({
      certificates: [certificate('a', 5), failing, { metadata: { name: 'new', namespace: 'data' } }],
    })
    expect(counts.certificates).toEqual({ all: 3, ready: 1 })
    expect(names(certificates)).toEqual(['failing', 'a'])
    expect(certificates.rows[0]).toMatchObject({ isReady: false, message: 'No CA.' })
    expect(certificates.total).toBe(2)
  })

  it('shows rotations that are under way or asked for, and no other', () => {
    const { rotations } = view({
      authorities: [
        authority('rest', 9, { phase: 'Idle' }),
        authority('runs', 9, { phase: 'Signing' }),
        authority('asked', 9, { phase: 'Idle' }, { rotation: { trigger: '1' } }),
        authority('never', 9),
      ],
    })
    expect(names({ rows: rotations.rows.map(({ metadata }) => metadata) })).toEqual(['runs', 'asked'])
  })

  it('tells of profiles whose servers are not as they should be, up to a few', () => {
    const profile = (name: string, serving?: string) => ({
      metadata: { name, namespace: 'data' },
      status: {
        conditions: [
          ...ready(),
          ...(serving === undefined ? [] : [{ type: 'Serving', status: serving, reason: 'R', message: name }]),
        ],
        endpoints: [{}, {}],
      },
    })
    const many = Array.from({ length: 30 }, (_, at) => profile(`old-${at}`, 'False'))
    const { servers, counts } = view({
      profiles: [profile('good', 'True'), profile('unasked'), ...many, profile('lost', 'Unknown')],
    })
    expect(servers.endpoints).toBe(66)
    expect([servers.troubled.total, servers.troubled.rows.length]).toEqual([31, most.profiles])
    expect(counts.profiles).toEqual({ all: 33, ready: 33 })
  })
})
