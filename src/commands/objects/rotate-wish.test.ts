import { describe, expect, it } from 'vitest'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import { CommandError } from '../shared/failures.ts'
import { UsageError } from '../shared/options.ts'
import { type Change, changeFor, type Wish, wishOf } from './rotate-wish.ts'

describe('what is wished', () => {
  it.each<[Parameters<typeof wishOf>[0], Wish]>([
    [{}, { act: 'start', compromised: false }],
    [{ reason: 'compromised' }, { act: 'start', compromised: true }],
    [{ hold: 'trustboth' }, { act: 'hold', at: 'TrustBoth' }],
    [{ release: true }, { act: 'release' }],
    [{ abort: true }, { act: 'abort' }],
  ])('%j', (options, wish) => expect(wishOf(options)).toEqual(wish))

  it.each<[Parameters<typeof wishOf>[0], string]>([
    [{ hold: 'Idle' }, '--hold is one of TrustBoth, Signing, DropSoak, not "Idle"'],
    [{ hold: 'Signing', release: true }, '--hold and --release exclude each other'],
    [{ abort: true, reason: 'Compromised' }, '--reason goes with a rotation that is started, not with --abort'],
    [{ reason: 'Bored' }, '--reason is Compromised, or left out; not "Bored"'],
  ])('not %j', (options, sentence) => {
    expect(() => wishOf(options)).toThrow(new UsageError(sentence))
  })
})

const authority = (rotation: object = {}, spec: object = {}, more: object = {}): CertificateAuthority => {
  const ready = { type: 'Ready', status: 'True', observedGeneration: 1, reason: 'Issued', message: 'M.' }
  return {
    metadata: { name: 'ca', namespace: 'data', generation: 1 },
    spec: { source: { selfSigned: {} }, rotation: { onTrigger: 'NewKey', trigger: 'a', ...spec } },
    status: { conditions: [ready], rotation: { phase: 'Idle', trigger: 'a', ...rotation } },
    ...more,
  } as unknown as CertificateAuthority
}
const start: Wish = { act: 'start', compromised: false }
const compromised: Wish = { act: 'start', compromised: true }
const abort: Wish = { act: 'abort' }
const release: Wish = { act: 'release' }

describe('what a wish changes', () => {
  it.each<[string, CertificateAuthority, Wish, Change['fields'], string]>([
    ['one at rest', authority(), start, { trigger: 'now', reason: '' }, 'asked for'],
    [
      'one that never rotated',
      authority({}, {}, { spec: { source: { selfSigned: {} } } }),
      start,
      { trigger: 'now', reason: '' },
      'asked for',
    ],
    ['a compromised one', authority(), compromised, { trigger: 'now', reason: 'Compromised' }, 'asked for'],
    ['one under way', authority({ phase: 'Signing' }), start, { trigger: 'now' }, 'queued'],
    ['one under way and queued', authority({ phase: 'Signing' }, { trigger: 'b' }), start, {}, 'known'],
    ['one that is asked for', authority({}, { trigger: 'b' }), start, {}, 'known'],
    [
      'one under way, found compromised',
      authority({ phase: 'TrustBoth' }),
      compromised,
      { reason: 'Compromised' },
      'hurried',
    ],
    ['one that hurries', authority({ phase: 'TrustBoth' }, { reason: 'Compromised' }), compromised, {}, 'known'],
    ['a hold', authority(), { act: 'hold', at: 'Signing' }, { holdAt: 'Signing' }, 'held'],
    [
      'a hold at the present phase',
      authority({ phase: 'Signing' }),
      { act: 'hold', at: 'Signing' },
      { holdAt: 'Signing' },
      'held',
    ],
    ['a hold that is there', authority({}, { holdAt: 'Signing' }), { act: 'hold', at: 'Signing' }, {}, 'known'],
    ['a release', authority({ phase: 'Signing' }, { holdAt: 'Signing' }), release, { holdAt: '' }, 'released'],
    ['a release of what is free', authority(), release, {}, 'known'],
    ['an abort', authority({ phase: 'TrustBoth' }), abort, { abort: 'now' }, 'aborted'],
    ['an abort of one that signs', authority({ phase: 'DropSoak' }), abort, { abort: 'now' }, 'aborted'],
  ])('%s', (_, one, wish, fields, verb) => {
    const change = changeFor(one, wish, 'now')
    expect(change.fields).toEqual(fields)
    expect(change.told[0]).toBe(verb)
  })

  const stalled = {
    type: 'Stalled',
    status: 'True',
    observedGeneration: 1,
    reason: 'AuthoritySecretMissing',
    message: 'Gone.',
  }
  it.each<[string, CertificateAuthority, Wish, string]>([
    [
      'a trust anchor',
      authority({}, {}, { spec: { source: { trustOnly: {} } } }),
      release,
      'it signs nothing and has no key to rotate',
    ],
    [
      'one that is brought along',
      authority({}, {}, { spec: { source: { secret: { name: 'corp' } } } }),
      start,
      'its key is yours, in Secret "corp"',
    ],
    [
      'one that is not Ready',
      authority({}, {}, { status: { conditions: [stalled], rotation: { phase: 'Idle', trigger: 'a' } } }),
      start,
      'only a CA that is can be rotated: AuthoritySecretMissing: Gone.',
    ],
    [
      'a hold that comes too late',
      authority({ phase: 'DropSoak' }),
      { act: 'hold', at: 'Signing' },
      'is past Signing: it is at DropSoak',
    ],
    ['an abort of nothing', authority(), abort, 'no rotation of it is under way'],
    [
      'an abort of one that is brought along',
      authority({ phase: 'TrustBoth' }, {}, { spec: { source: { secret: { name: 'corp' } } } }),
      abort,
      'put the former key and certificate back there',
    ],
    ['an abort that comes too late', authority({ phase: 'Dropped' }), abort, 'there is no way back'],
  ])('not of %s', (_, one, wish, sentence) => {
    const asked = (): Change => changeFor(one, wish, 'now')
    expect(asked).toThrow(CommandError)
    expect(asked).toThrow(sentence)
  })

  it('is told with what it does', () => {
    expect(changeFor(authority({}, { onTrigger: 'ReuseKey' }), start, 'x').told[1]).toBe('a rotation with the same key')
    expect(changeFor(authority({}, { onTrigger: 'ReuseKey' }), compromised, 'x').told[1]).toBe(
      'a rotation with a new key',
    )
    expect(changeFor(authority({ phase: 'Signing' }), abort, 'x').told[1]).toContain('the former CA signs again')
    expect(changeFor(authority({ phase: 'Prepared' }), abort, 'x').told[1]).toContain('the next CA is given up')
  })
})
