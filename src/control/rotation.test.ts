import { describe, expect, it } from 'vitest'
import { type CertificateAuthority, certificateAuthorityKind } from '../resources/certificate-authority.ts'
import { objectSchema } from '../resources/structural.ts'
import {
  isAbortRequested,
  isHeld,
  isRequested,
  pendingInWords,
  type Rotation,
  rotationOf,
  type RotationPhase,
  soakEnd,
  underWay,
} from './rotation.ts'

const authority = (rotation: object = {}, spec?: object): CertificateAuthority =>
  ({ spec: { rotation: spec }, status: { rotation } }) as unknown as CertificateAuthority

describe('a rotation', () => {
  it.each<[string, CertificateAuthority, boolean]>([
    ['at rest', authority({ phase: 'Idle' }), false],
    ['never begun', { spec: {} } as unknown as CertificateAuthority, false],
    ['being prepared', authority({ phase: 'Prepared' }), true],
    ['about to end', authority({ phase: 'Dropped' }), true],
  ])('%s', (_, one, expected) => expect(underWay(one) !== undefined).toBe(expected))

  it.each<[string, CertificateAuthority, boolean]>([
    ['at the phase that holdAt names', authority({ phase: 'TrustBoth' }, { holdAt: 'TrustBoth' }), true],
    ['before it', authority({ phase: 'Prepared' }, { holdAt: 'TrustBoth' }), false],
    ['without holdAt', authority({ phase: 'TrustBoth' }, { holdAt: '' }), false],
    ['of a CA that says nothing of rotations', authority({ phase: 'TrustBoth' }), false],
    ['at rest', authority({ phase: 'Idle' }, { holdAt: 'TrustBoth' }), false],
    ['never begun', { spec: { rotation: {} } } as unknown as CertificateAuthority, false],
  ])('is held or not: %s', (_, one, expected) => expect(isHeld(one)).toBe(expected))

  it.each<[string, CertificateAuthority, boolean]>([
    ['another trigger', authority({ phase: 'Idle', trigger: '1' }, { trigger: '2' }), true],
    ['the first trigger', { spec: { rotation: { trigger: '1' } } } as unknown as CertificateAuthority, true],
    ['the one acted on', authority({ phase: 'Signing', trigger: '2' }, { trigger: '2' }), false],
    ['one that was taken away', authority({ phase: 'Idle', trigger: '2' }, { trigger: '' }), false],
    ['none', { spec: {} } as unknown as CertificateAuthority, false],
  ])('is asked for or not: %s', (_, one, expected) => expect(isRequested(one)).toBe(expected))

  it.each<[string, CertificateAuthority, boolean]>([
    ['a wish', authority({ phase: 'Signing', abort: '1' }, { abort: '2' }), true],
    ['one that was noted', authority({ phase: 'Signing', abort: '2' }, { abort: '2' }), false],
    ['none', authority({ phase: 'Signing', abort: '2' }, { abort: '' }), false],
  ])('is to be taken back or not: %s', (_, one, expected) => expect(isAbortRequested(one)).toBe(expected))

  it.each<[RotationPhase, object | undefined, string | undefined]>([
    ['TrustBoth', undefined, undefined],
    ['TrustBoth', { consumers: 0, certificates: 0 }, undefined],
    [
      'TrustBoth',
      { consumers: 1, certificates: 0, endpoints: 2 },
      '1 consumer without the trust bundle, 2 servers that have not proved their trust',
    ],
    [
      'Signing',
      { consumers: 0, certificates: 12, endpoints: 1 },
      '12 certificates of the former CA, 1 server with another certificate',
    ],
    ['TrustBoth', { consumers: 0, certificates: 0, notProvable: 3 }, undefined],
  ])('waits at %s for %j', (phase, pending, words) => {
    expect(pendingInWords({ phase, pending } as Rotation)).toBe(words)
  })

  it.each<[string, object, object | undefined, string | undefined]>([
    ['of trust', { phase: 'TrustBoth' }, { trustSoak: '1h', dropSoak: '2h' }, '2027-01-01T01:00:00.000Z'],
    ['before the drop', { phase: 'DropSoak' }, { trustSoak: '1h', dropSoak: '2h' }, '2027-01-01T02:00:00.000Z'],
    ['of a CA that says nothing of rotations', { phase: 'DropSoak' }, undefined, '2027-01-02T00:00:00.000Z'],
    ['that is over with its rotation', { phase: 'Idle' }, undefined, undefined],
  ])('has a soak %s', (_, status, spec, end) => {
    const at = soakEnd(authority({ ...status, soakStartedAt: '2027-01-01T00:00:00Z' }, spec))
    expect(at === undefined ? undefined : new Date(at).toISOString()).toBe(end)
  })
  it('has none before everything else was seen', () => {
    expect(soakEnd(authority({ phase: 'TrustBoth' }, { trustSoak: '1h' }))).toBeUndefined()
  })
})

describe('of a rotation that nothing is said of', () => {
  const usual = {
    ...{
      onTrigger: 'NewKey',
      onExpiry: 'ReuseKey',
      trigger: '',
      abort: '',
      reason: '',
      dropOld: 'AfterSoak',
      holdAt: '',
    },
    ...{ trustSoak: '24h', dropSoak: '24h', maxParallel: 10, nextName: 'Same', crossSign: false },
  }

  it('the operator takes what is usual', () => {
    expect(rotationOf({ spec: {} } as unknown as CertificateAuthority)).toEqual(usual)
  })

  it('the API server fills in the same', () => {
    const { rotation } = objectSchema(certificateAuthorityKind).properties?.['spec']?.properties ?? {}
    const defaults = Object.entries(rotation?.properties ?? {}).map(([name, field]) => [name, field.default])
    expect(Object.fromEntries(defaults.filter(([, value]) => value !== undefined))).toEqual(usual)
    expect(rotation?.default).toBeUndefined()
  })
})
