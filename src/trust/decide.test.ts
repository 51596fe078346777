import { describe, expect, it } from 'vitest'
import { dataHash } from '../material/hash.ts'
import type { ConfigMap, Secret } from '../resources/core.ts'
import { fieldsOf, judge, judgeRemoval, type Known, marksOf, plan, type PlanInput } from './decide.ts'
import { trustLabel } from './names.ts'
import { nothing, type Placement, type Target, type Wanted } from './wanted.ts'

const authority = 'data/ca'
const target: Target = {
  field: 'spec.trustBundle.targets[0]',
  kind: 'ConfigMap',
  name: 'trust',
  items: [
    { key: 'ca.crt', content: 'TrustBundle' },
    { key: 'ca.p12', content: 'PKCS12Truststore' },
  ],
  hash: 'present',
}
const bytes = new Map<string, Uint8Array>([
  ['ca.crt', Buffer.from('PEM')],
  ['ca.p12', Uint8Array.of(0x30, 0x82, 0xff)],
])
const written = (
  change: { annotations?: object; labels?: object; metadata?: object; map?: object } = {},
): ConfigMap => {
  const { labels, annotations } = marksOf(target, authority)
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'trust',
      namespace: 'orders',
      uid: 'u',
      resourceVersion: '5',
      labels: { ...labels, team: 'x', ...change.labels },
      annotations: { ...annotations, 'dbtls.dev/data-hash': dataHash(bytes), ...change.annotations },
      ...change.metadata,
    },
    ...fieldsOf('ConfigMap', bytes),
    ...change.map,
  }
}
const bare = (metadata: object = {}): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'trust', namespace: 'orders', ...metadata },
  data: { theirs: 'x' },
})

describe('an object that stands where a target is wanted', () => {
  it.each<{
    name: string
    live: ConfigMap
    mine?: boolean
    act: string
    reuses?: boolean
    adopts?: boolean
    says?: string
  }>([
    { name: 'as it was written', live: written(), act: 'keep' },
    {
      name: 'from other inputs',
      live: written({ annotations: { 'dbtls.dev/inputs-hash': 'former' } }),
      act: 'write',
      reuses: false,
    },
    { name: 'with other bytes', live: written({ map: { data: { 'ca.crt': 'evil' } } }), act: 'write', reuses: false },
    {
      name: 'with a forged hash of its bytes',
      live: written({ annotations: { 'dbtls.dev/data-hash': 'x' } }),
      act: 'write',
      reuses: false,
    },
    { name: 'without one of its keys', live: written({ map: { binaryData: {} } }), act: 'write', reuses: false },
    { name: 'with further keys', live: written({ map: { data: { 'ca.crt': 'PEM', more: 'x' } } }), act: 'keep' },
    {
      name: 'with another label of ours',
      live: written({ labels: { 'dbtls.dev/trust-of': 'x' } }),
      act: 'write',
      reuses: true,
    },
    {
      name: 'without the list of our keys',
      live: written({ annotations: { 'dbtls.dev/keys': undefined } }),
      act: 'write',
      reuses: true,
    },
    {
      name: 'without its annotation but with the owner',
      live: written({ annotations: { 'dbtls.dev/trust-of': undefined } }),
      act: 'write',
      reuses: true,
      adopts: false,
    },
    { name: 'that is being deleted', live: written({ metadata: { deletionTimestamp: 'now' } }), act: 'wait' },
    {
      name: 'of another authority',
      live: written({ annotations: { 'dbtls.dev/trust-of': 'data/other' } }),
      act: 'leave',
      says: 'CertificateAuthority data/other',
    },
    {
      name: 'of another authority, offered',
      live: written({ annotations: { 'dbtls.dev/trust-of': 'data/other', 'dbtls.dev/adopt': 'true' } }),
      act: 'leave',
    },
    {
      name: 'of something else of ours',
      live: bare({ annotations: { 'dbtls.dev/owner': 'DatabaseCertificate/db', 'dbtls.dev/adopt': 'true' } }),
      act: 'leave',
      says: 'belongs to DatabaseCertificate/db',
    },
    { name: 'of somebody', live: bare(), act: 'leave', says: 'was not made by dbtls' },
    {
      name: 'of somebody who offers it',
      live: bare({ annotations: { 'dbtls.dev/adopt': 'true' } }),
      act: 'write',
      reuses: false,
      adopts: true,
    },
    {
      name: 'of somebody who does not offer it',
      live: bare({ annotations: { 'dbtls.dev/adopt': 'yes' } }),
      act: 'leave',
    },
    { name: 'stripped of its marks, but known', live: bare(), mine: true, act: 'write', reuses: false, adopts: false },
    { name: 'immutable and right', live: written({ map: { immutable: true } }), act: 'keep' },
    {
      name: 'immutable and right, without a mark',
      live: written({ map: { immutable: true }, annotations: { 'dbtls.dev/trust-of': undefined } }),
      act: 'write',
      reuses: true,
    },
    {
      name: 'immutable and former',
      live: written({ map: { immutable: true }, annotations: { 'dbtls.dev/inputs-hash': 'former' } }),
      act: 'leave',
      says: 'immutable',
    },
  ])('$name: $act', ({ live, mine = false, act, reuses, adopts, says }) => {
    const judgement = judge(live, target, authority, mine)
    expect(judgement.act).toBe(act)
    if (judgement.act === 'write') {
      expect(judgement.data !== undefined).toBe(reuses)
      if (judgement.data !== undefined) expect(dataHash(judgement.data)).toBe(dataHash(bytes))
      if (adopts !== undefined) expect(judgement.adopts).toBe(adopts)
    }
    if (judgement.act === 'leave') {
      expect(judgement.message).toContain('ConfigMap "orders/trust"')
      expect(judgement.message).toContain(says ?? '')
    }
  })
})

describe('an object that is no longer wanted', () => {
  const secret = (data: Record<string, string>, annotations: Record<string, string>): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'trust', namespace: 'orders', annotations },
    data,
  })
  const mark = { 'dbtls.dev/trust-of': authority, 'dbtls.dev/keys': 'ca.crt,ca.p12' }
  it.each([
    { name: 'is deleted', live: written(), act: 'delete' },
    { name: 'is deleted, as a Secret', live: secret({ 'ca.crt': 'UEVN' }, mark), act: 'delete' },
    {
      name: 'with foreign text loses our keys',
      live: written({ map: { data: { 'ca.crt': 'PEM', more: 'x' } } }),
      act: 'release',
    },
    {
      name: 'with foreign bytes loses our keys',
      live: written({ map: { binaryData: { more: 'AA==' } } }),
      act: 'release',
    },
    { name: 'with foreign keys loses ours, as a Secret', live: secret({ more: 'UEVN' }, mark), act: 'release' },
    {
      name: 'that was adopted loses our keys',
      live: written({ annotations: { 'dbtls.dev/adopt': 'true' } }),
      act: 'release',
    },
    {
      name: 'without the list of our keys is not deleted',
      live: written({ annotations: { 'dbtls.dev/keys': undefined } }),
      act: 'release',
    },
    {
      name: 'of another authority is left',
      live: written({ annotations: { 'dbtls.dev/trust-of': 'data/ca2' } }),
      act: 'leave',
    },
    { name: 'without a mark is left', live: bare(), act: 'leave' },
    {
      name: 'that goes by itself is left to go',
      live: written({ metadata: { deletionTimestamp: 'now' } }),
      act: 'wait',
    },
  ])('$name', ({ live, act }) => {
    expect(judgeRemoval(live, authority).act).toBe(act)
  })
})

describe('the plan', () => {
  const id = 'ConfigMap orders/trust'
  const placement: Placement = { target, namespace: 'orders' }
  const wanted: Wanted = { ...nothing, placements: new Map([[id, placement]]) }
  const cached = { uid: 'u', resourceVersion: '5' }
  const right: Known = { ...cached, ours: true, hash: 'present' }
  const steps = (input: Partial<Omit<PlanInput, 'known'>> & { readonly known?: Known }) =>
    plan({
      wanted,
      cached: () => undefined,
      present: [],
      terminating: () => false,
      ...input,
      known: new Map(input.known === undefined ? [] : [[id, input.known]]),
    }).map(({ placement: place, create }) => (place === undefined ? 'remove' : create ? 'create' : 'look'))

  it.each<{ name: string; input: Parameters<typeof steps>[0]; expected: string[] }>([
    { name: 'makes what is not there', input: {}, expected: ['create'] },
    { name: 'looks at what is there and not known', input: { cached: () => cached }, expected: ['look'] },
    { name: 'leaves what was verified', input: { cached: () => cached, known: right }, expected: [] },
    {
      name: 'looks at another version',
      input: { cached: () => ({ ...cached, resourceVersion: '6' }), known: right },
      expected: ['look'],
    },
    {
      name: 'looks at another object',
      input: { cached: () => ({ ...cached, uid: 'v' }), known: right },
      expected: ['look'],
    },
    {
      name: 'looks when the bundle changed',
      input: { cached: () => cached, known: { ...right, hash: 'former' } },
      expected: ['look'],
    },
    { name: 'makes again what went', input: { known: right }, expected: ['create'] },
    {
      name: 'leaves what is not ours',
      input: { cached: () => cached, known: { ...cached, ours: false, blocked: 'x' } },
      expected: [],
    },
    {
      name: 'looks when that changed',
      input: { cached: () => ({ ...cached, resourceVersion: '6' }), known: { ...cached, ours: false, blocked: 'x' } },
      expected: ['look'],
    },
    {
      name: 'waits for the authority',
      input: {
        wanted: { ...wanted, placements: new Map([[id, { ...placement, target: { ...target, hash: undefined } }]]) },
      },
      expected: [],
    },
    {
      name: 'removes what is not wanted',
      input: { wanted: nothing, present: [id], cached: () => cached, known: right },
      expected: ['remove'],
    },
    {
      name: 'keeps what it cannot tell',
      input: { wanted: { ...nothing, unresolved: new Set(['ConfigMap/trust']) }, present: [id] },
      expected: [],
    },
    {
      name: 'leaves a namespace that ends alone',
      input: { wanted: nothing, present: [id], terminating: (name) => name === 'orders' },
      expected: [],
    },
  ])('$name', ({ input, expected }) => {
    expect(steps(input)).toEqual(expected)
  })
})

describe('the label of a target', () => {
  it('names the authority, and is a valid value for the longest of names, too', () => {
    expect(trustLabel('data/ca')).toBe('data.ca')
    const long = trustLabel(`${'n'.repeat(63)}/${'a'.repeat(63)}`)
    expect(long).toMatch(/^[a-z0-9][-a-z0-9.]{61}[a-z0-9]$/)
    expect(long).not.toBe(trustLabel(`${'n'.repeat(63)}/${'b'.repeat(63)}`))
  })
})

describe('the fields of a target', () => {
  const text = ['a', Buffer.from('text')] as const
  const binary = ['b', Uint8Array.of(0xff, 0xfe)] as const
  it.each([
    { kind: 'ConfigMap', holds: 'text', entries: [text], fields: { data: { a: 'text' } } },
    { kind: 'ConfigMap', holds: 'bytes', entries: [binary], fields: { binaryData: { b: '//4=' } } },
    {
      kind: 'ConfigMap',
      holds: 'both',
      entries: [text, binary],
      fields: { data: { a: 'text' }, binaryData: { b: '//4=' } },
    },
    { kind: 'Secret', holds: 'both', entries: [text, binary], fields: { data: { a: 'dGV4dA==', b: '//4=' } } },
  ] as const)('of kind $kind that holds $holds', ({ kind, entries, fields }) => {
    expect(fieldsOf(kind, new Map<string, Uint8Array>(entries))).toEqual(fields)
  })
})
