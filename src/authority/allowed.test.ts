import { describe, expect, it } from 'vitest'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type LabelSelector, matches, refusal } from './allowed.ts'

const authority = (allowedNamespaces: unknown): CertificateAuthority =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'CertificateAuthority',
    metadata: { name: 'ca', namespace: 'pki' },
    spec: { source: { selfSigned: {} }, allowedNamespaces },
  }) as unknown as CertificateAuthority

const labels = new Map([
  ['data', { team: 'orders' }],
  ['web', { team: 'shop' }],
])
const labelsOf = (namespace: string): Record<string, string> | null => labels.get(namespace) ?? null

describe('refusal', () => {
  it('answers for a trust anchor that it signs nothing, in its own namespace, too', () => {
    const anchor = { ...authority({ from: 'All' }), spec: { source: { trustOnly: { inline: '' } } } }
    expect(refusal(anchor as unknown as CertificateAuthority, 'pki', labelsOf)).toContain('signs nothing')
  })

  const selector = { from: 'Selector', selector: { matchLabels: { team: 'orders' } } }
  it.each([
    { name: 'its own namespace always may', allowed: { from: 'Same' }, namespace: 'pki', may: true },
    { name: 'Same keeps others out', allowed: { from: 'Same' }, namespace: 'data', may: false },
    { name: 'All lets everybody in', allowed: { from: 'All' }, namespace: 'data', may: true },
    { name: 'Names lets the named in', allowed: { from: 'Names', names: ['data'] }, namespace: 'data', may: true },
    { name: 'Names keeps others out', allowed: { from: 'Names', names: ['data'] }, namespace: 'web', may: false },
    { name: 'a selector lets matching labels in', allowed: selector, namespace: 'data', may: true },
    { name: 'a selector keeps other labels out', allowed: selector, namespace: 'web', may: false },
    {
      name: 'an unknown namespace matches no selector',
      allowed: { from: 'Selector', selector: {} },
      namespace: 'gone',
      may: false,
    },
    { name: 'nothing said means Same', allowed: undefined, namespace: 'data', may: false },
  ])('$name', ({ allowed, namespace, may }) => {
    const said = refusal(authority(allowed), namespace, labelsOf)
    expect(said === undefined).toBe(may)
    if (!may) expect(said).toContain('CertificateAuthority pki/ca')
  })

  it('says what to use instead where the operator cannot see namespaces', () => {
    expect(refusal(authority(selector), 'data', () => undefined)).toContain('spec.allowedNamespaces.names')
  })
})

describe('matches', () => {
  const has = { env: 'prod', tier: 'db' }
  const cases: { name: string; selector: LabelSelector; is: boolean }[] = [
    { name: 'an empty selector matches everything', selector: {}, is: true },
    { name: 'all labels must match', selector: { matchLabels: { env: 'prod', tier: 'web' } }, is: false },
    {
      name: 'In',
      selector: { matchExpressions: [{ key: 'env', operator: 'In', values: ['prod', 'test'] }] },
      is: true,
    },
    {
      name: 'NotIn matches an absent key',
      selector: { matchExpressions: [{ key: 'x', operator: 'NotIn', values: ['y'] }] },
      is: true,
    },
    { name: 'Exists', selector: { matchExpressions: [{ key: 'x', operator: 'Exists' }] }, is: false },
    { name: 'DoesNotExist', selector: { matchExpressions: [{ key: 'x', operator: 'DoesNotExist' }] }, is: true },
    {
      name: 'a name every object inherits is no label',
      selector: { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] },
      is: false,
    },
  ]
  it.each(cases)('$name', ({ selector, is }) => {
    expect(matches(selector, has)).toBe(is)
  })
})
