import { describe, expect, it } from 'vitest'
import { contents } from '../../material/content-table.ts'
import { contentOfCertificate, itemProblems } from '../../material/contents.ts'
import type { DatabaseCertificateSpec } from '../../resources/database-certificate.ts'
import {
  authorityLayouts,
  layoutNames,
  layoutSecrets,
  presets,
  rsaLayouts,
  traditionalLayouts,
} from '../../resources/layout-names.ts'
import { secretAnnotations, secretLabels } from '../../resources/secret-items.ts'
import { layoutSecret, secretsOfPreset, shapeOf } from './shape.ts'

const spec = (secret: object, more: object = {}): DatabaseCertificateSpec =>
  ({ authorityRef: { name: 'ca' }, secret: { name: 'orders-tls', ...secret }, ...more }) as DatabaseCertificateSpec
const all = presets.flatMap((preset) =>
  [...secretsOfPreset(preset)].map(([name, secret]) => ({ layout: `${preset}/${name}`, secret })),
)

describe('every layout', () => {
  it.each(presets)('%s has the Secrets that a manifest may name, in that order', (preset) => {
    expect([...secretsOfPreset(preset).keys()]).toEqual([...layoutSecrets[preset]])
  })

  it.each(all)('$layout can be encoded from a key of the right kind', ({ layout, secret }) => {
    const fits = (keyAlgorithm: 'RSA' | 'ECDSA' | 'Ed25519') =>
      itemProblems(
        secret.items,
        { privateKey: true, keyAlgorithm, authorityKeyAlgorithm: 'ECDSA' },
        { encoding: 'PKCS8', pkcs12Profile: 'Modern2023' },
      )
    expect(fits('RSA')).toEqual([])
    // The rule of admission and the items say the same.
    expect(fits('ECDSA').length > 0).toBe(rsaLayouts.includes(layout))
    expect(fits('Ed25519').length > 0).toBe([...rsaLayouts, ...traditionalLayouts].includes(layout))
  })

  it.each(all)('$layout names only what Kubernetes takes', ({ secret }) => {
    for (const { key, content } of secret.items) {
      expect(key).toMatch(/^[-._a-zA-Z0-9]+$/)
      expect(contents).toHaveProperty(content)
    }
    expect(secretLabels.safeParse(secret.labels ?? {}).success).toBe(true)
    expect(secretAnnotations.safeParse(secret.annotations ?? {}).success).toBe(true)
    const keys = secret.items.map(({ key }) => key)
    if (secret.type === 'kubernetes.io/tls') expect(keys).toEqual(expect.arrayContaining(['tls.crt', 'tls.key']))
  })

  it.each(all)('$layout needs a name, or is known to have no certificate', ({ layout, secret }) => {
    expect(secret.items.some(({ content }) => contentOfCertificate(content))).toBe(!authorityLayouts.includes(layout))
    // The admission policy of the chart knows them by this ending.
    expect(secret.items.some(({ content }) => content === 'AuthorityPrivateKey')).toBe(layout.endsWith('ca-key'))
    for (const key of Object.values(secret.counters ?? {})) expect(secret.items.map((item) => item.key)).toContain(key)
  })

  it('is found under each of its names, and under no other', () => {
    for (const name of layoutNames) expect(layoutSecret(name, 'Server')).toBeDefined()
    for (const name of [
      '',
      'x',
      'CloudNativePG/',
      'CloudNativePG/x',
      'CloudNativePG/server/x',
      '__proto__',
      'toString',
    ])
      expect(layoutSecret(name, 'Server')).toBeUndefined()
  })
})

describe('the shape of a Secret', () => {
  it.each([
    { role: 'Server', name: 'CloudNativePG/server' },
    { role: 'Peer', name: 'CloudNativePG/server' },
    { role: 'Client', name: 'CloudNativePG/replication' },
    { role: undefined, name: 'CloudNativePG/server' },
  ] as const)('of a preset for the role $role is $name', ({ role, name }) => {
    expect(layoutSecret('CloudNativePG', role)?.name).toBe(name)
  })

  it('of no layout is what its items say', () => {
    expect(shapeOf(spec({ items: [{ key: 'a.pem', content: 'KeyThenChain' }], labels: { a: 'b' } }))).toEqual({
      shape: {
        type: 'Opaque',
        items: [{ key: 'a.pem', content: 'KeyThenChain' }],
        labels: { a: 'b' },
        annotations: {},
      },
    })
  })

  it("of a layout gives way to the spec's type, labels and annotations", () => {
    const layout = 'CloudNativePG'
    const own = { type: 'Opaque', labels: { team: 'a', 'cnpg.io/reload': 'x' }, annotations: { note: 'n' } }
    expect(shapeOf(spec({ layout, ...own }))).toMatchObject({ shape: own })
    expect(shapeOf(spec({ layout, labels: { team: 'a' } }))).toMatchObject({
      shape: { type: 'kubernetes.io/tls', labels: { team: 'a', 'cnpg.io/reload': '' }, annotations: {} },
    })
  })

  it.each([
    { name: 'orders-tikv-cluster-secret', fits: true },
    { name: 'orders-tikv-secret', fits: false },
    { name: '-tikv-cluster-secret', fits: false },
  ])('of a layout with a fixed name fits the Secret $name: $fits', ({ name, fits }) => {
    const shaped = shapeOf(spec({ name, layout: 'TiDBOperatorV1/component' }))
    if (fits) expect(shaped).toHaveProperty('shape')
    else
      expect(shaped).toEqual({
        problem: expect.stringMatching(
          /named \{cluster\}-\{component\}-cluster-secret.*correct spec\.secret\.name/,
        ) as string,
      })
  })

  it('of an unknown layout is a problem with its cure', () => {
    expect(shapeOf(spec({ layout: 'Nobody' }))).toEqual({
      problem: expect.stringContaining(
        '"Nobody" is no layout this version knows; docs/layouts.md lists them',
      ) as string,
    })
  })
})
