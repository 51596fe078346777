import { describe, expect, it } from 'vitest'
import { distinguishedName } from '../pki/names/names.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { notImplementedFields, resolve } from './wanted.ts'

const day = 24 * 3_600_000
const root = {
  source: { selfSigned: {} },
  subject: { commonName: 'CA' },
  privateKey: { algorithm: 'ECDSA' },
  duration: '3650d',
}
const under = { source: { intermediate: { authorityRef: { name: 'root', namespace: 'pki' } } } }
const authority = (spec: object = {}): CertificateAuthority =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'CertificateAuthority',
    metadata: { name: 'ca', namespace: 'data' },
    spec: { ...root, ...spec },
  }) as unknown as CertificateAuthority
const wanted = (spec: object = {}) => {
  const resolved = resolve(authority(spec))
  if (!('wanted' in resolved)) throw new Error(resolved.problems.join(' '))
  return resolved.wanted
}

describe('what an authority asks for', () => {
  it('has defaults', () => {
    expect(wanted()).toEqual({
      secretName: 'ca-ca',
      subject: distinguishedName({ commonName: 'CA' }),
      keyAlgorithm: { algorithm: 'ECDSA', size: 256 },
      duration: 3650 * day,
      renewal: { renewBefore: undefined },
      replaced: false,
      asked: false,
      maxPathLength: undefined,
      nameConstraints: undefined,
      parent: undefined,
      encrypted: false,
    })
  })

  it.each([
    { spec: { secretName: 'other' }, field: 'secretName', value: 'other' },
    { spec: { duration: '36h' }, field: 'duration', value: 1.5 * day },
    { spec: { renewBefore: '30d' }, field: 'renewal', value: { renewBefore: 30 * day } },
    { spec: { maxPathLength: 0 }, field: 'maxPathLength', value: 0 },
    { spec: { maxPathLength: 2 }, field: 'maxPathLength', value: 2 },
    { spec: under, field: 'maxPathLength', value: 0 },
    { spec: under, field: 'parent', value: { name: 'root', namespace: 'pki' } },
    {
      spec: { source: { intermediate: { authorityRef: { name: 'root' } } } },
      field: 'parent',
      value: { name: 'root', namespace: 'data' },
    },
    {
      spec: { privateKey: { algorithm: 'RSA', passphraseSecretRef: { name: 'p' } } },
      field: 'encrypted',
      value: true,
    },
    { spec: { privateKey: { algorithm: 'RSA' } }, field: 'keyAlgorithm', value: { algorithm: 'RSA', size: 2048 } },
    { spec: { privateKey: { algorithm: 'Ed25519' } }, field: 'keyAlgorithm', value: { algorithm: 'Ed25519' } },
  ] as const)('takes $field from $spec', ({ spec, field, value }) => {
    expect(wanted(spec)[field]).toEqual(value)
  })

  it('takes a literal subject before its parts', () => {
    const { subject } = wanted({ subject: { literal: 'CN=Orders CA,O=Acme', commonName: 'ignored' } })
    expect(subject).toEqual(distinguishedName({ commonName: 'Orders CA', organizations: ['Acme'] }))
  })

  it.each([
    { spec: { subject: { commonName: 'x'.repeat(65) } }, field: 'spec.subject' },
    { spec: { subject: { literal: 'CN=' } }, field: 'spec.subject' },
    { spec: { subject: { literal: 'nonsense' } }, field: 'spec.subject' },
    { spec: { subject: { literal: ' ' } }, field: 'spec.subject' },
    { spec: { duration: 'for ever' }, field: 'spec.duration' },
    { spec: { renewBefore: '1y' }, field: 'spec.renewBefore' },
    { spec: { nameConstraints: { permitted: { dnsDomains: ['a..b'] } } }, field: 'spec.nameConstraints' },
  ])('names $field when it cannot be', ({ spec, field }) => {
    const resolved = resolve(authority(spec))
    expect('problems' in resolved && resolved.problems.map((text) => text.split(':')[0])).toEqual([field])
  })

  it('closes the types of names that its constraints leave open, and leaves exceptions alone', () => {
    const { nameConstraints } = wanted({ nameConstraints: { permitted: { dnsDomains: ['Data.SVC'] } } })
    expect(nameConstraints?.permitted).toMatchObject({ dnsDomains: ['data.svc'], emailAddresses: ['invalid'] })
    expect(nameConstraints?.excluded).toMatchObject({ ipRanges: ['0.0.0.0/0', '::/0'] })
    const exception = wanted({ nameConstraints: { excluded: { dnsDomains: ['secret.svc'] } } })
    expect(exception.nameConstraints?.excluded).toMatchObject({ dnsDomains: ['secret.svc'], ipRanges: [] })
    expect(wanted({ nameConstraints: {} }).nameConstraints).toBeUndefined()
  })

  it('names every problem', () => {
    const resolved = resolve(authority({ duration: 'x', renewBefore: 'y' }))
    expect('problems' in resolved && resolved.problems).toHaveLength(2)
  })
})

describe('another key', () => {
  it.each([
    [{}, undefined, { replaced: false, asked: false }],
    [{ onExpiry: 'NewKey' }, undefined, { replaced: true, asked: false }],
    [{ trigger: 'one', onTrigger: 'NewKey' }, undefined, { replaced: false, asked: true }],
    [{ trigger: 'one', onTrigger: 'NewKey' }, 'one', { replaced: false, asked: false }],
    [{ trigger: 'one', onTrigger: 'ReuseKey' }, undefined, { replaced: false, asked: false }],
    [{ trigger: 'one', onTrigger: 'ReuseKey', reason: 'Compromised' }, undefined, { replaced: false, asked: true }],
  ])('is to come at the end, or is asked for: %o, acted on %s', (rotation, trigger, asksFor) => {
    const resolved = resolve({ ...authority({ rotation }), status: { rotation: { phase: 'Idle', trigger } } } as never)
    expect(resolved).toMatchObject({ wanted: asksFor })
  })
})

describe('fields of later versions', () => {
  it('are none in a plain authority', () => {
    expect(notImplementedFields(authority({ rotation: { trigger: '', onExpiry: 'ReuseKey' } }))).toEqual([])
  })
})
