/** Whatever a Certificate or an issuer says: it is in what is written, or it is told of. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { admit } from '../../resources/validate.ts'
import { fieldTable } from './field-table.fixture.ts'
import { type Field, fieldOf, issuerFields, authorityFields, certificateFields, isAbove, pathsIn } from './fields.ts'
import { type Found, titleOf } from './inventory.ts'
import { type Migration, planMigration } from './plan.ts'

type Members = Record<string, unknown>

const of = (kind: Found['kind'], name: string, spec: unknown, metadata: Members = {}): Found => ({
  kind,
  namespace: kind === 'ClusterIssuer' ? '' : 'data',
  name,
  object: {
    apiVersion: 'cert-manager.io/v1',
    kind,
    metadata: { name, namespace: 'data', ...metadata },
    spec,
  },
})
const issuer = of('Issuer', 'ca', { ca: { secretName: 'ca-key' } })
const plan = (...found: Found[]): Migration => planMigration([issuer, ...found], { clusterNamespace: 'cert-manager' })

const optional = <T extends Members>(model: { [name in keyof T]: fc.Arbitrary<T[name]> }) =>
  fc.record(model, { requiredKeys: [] })
const list = (...words: string[]) => fc.uniqueArray(fc.constantFrom(...words), { minLength: 1, maxLength: 3 })
const reference = fc.record({ name: fc.constantFrom('p', 'q'), key: fc.constantFrom('password', 'key') })
const duration = fc.constantFrom('2160h0m0s', '1h', '26280h', '300h30m', '0', 'a while', '720h0m0.5s')
const subtrees = optional({
  dnsDomains: list('a.b'),
  ipRanges: list('10.0.0.0/8'),
  emailAddresses: list('b'),
  uriDomains: list('c'),
})

const usages = list(
  ...['signing', 'digital signature', 'content commitment', 'key encipherment', 'key agreement', 'data encipherment'],
  ...['cert sign', 'crl sign', 'encipher only', 'decipher only', 'any', 'server auth', 'client auth', 'code signing'],
  ...['email protection', 's/mime', 'ipsec end system', 'ipsec tunnel', 'ipsec user', 'timestamping', 'ocsp signing'],
  ...['microsoft sgc', 'netscape sgc', 'levitation'],
)

/** The schema of cert-manager's CRD, every member of it, with values good and odd. */
const schema = {
  subject: optional({
    organizations: list('Acme', 'Acme & Söhne', 'A, B'),
    countries: list('DE', 'FR', 'DEU'),
    organizationalUnits: list('db', 'ops'),
    localities: list('Bonn', 'Köln'),
    provinces: list('NRW'),
    streetAddresses: list('Am Markt 1'),
    postalCodes: list('53111'),
    serialNumber: fc.constantFrom('4711', '#1'),
  }),
  literalSubject: fc.constantFrom('CN=app,O=Acme', 'CN=a+OU=b,DC=example', 'nonsense'),
  commonName: fc.constantFrom('app', 'orders.data.svc', 'x'.repeat(64), ' app '),
  duration,
  renewBefore: duration,
  renewBeforePercentage: fc.constantFrom(1, 33, 99, 100),
  renewal: optional({
    policy: fc.constantFrom('Disabled', 'RenewBefore'),
    windows: fc.array(
      optional({
        cron: fc.constantFrom('0 2 * * SAT', '0 2 * * 6', '@daily', '0 2 ? * *'),
        windowDuration: duration,
        timezone: fc.constantFrom('Europe/Berlin', 'Mars/North'),
      }),
      { maxLength: 1, minLength: 1 },
    ),
  }),
  dnsNames: list('orders.data.svc', '*.data.svc', 'Orders.Example', 'bücher.example', '10.0.0.1', 'a b'),
  ipAddresses: list('10.0.0.1', '::1', '10.0.0.0/8'),
  uris: list('spiffe://cluster.local/ns/data', 'x'),
  emailAddresses: list('dba@example.com', 'dba'),
  otherNames: fc.constant([{ oid: '1.3.6.1.4.1.311.20.2.3', utf8Value: 'upn@example.com' }]),
  secretTemplate: optional({
    annotations: fc.constantFrom({ a: 'b' }, { 'argocd.argoproj.io/x': 'y' }, { 'dbtls.dev/adopt': 'true' }),
    labels: fc.constantFrom({ a: 'b' }, { 'app.kubernetes.io/managed-by': 'Helm' }, { a: 'not a label!' }),
  }),
  keystores: optional({
    jks: optional({
      create: fc.boolean(),
      alias: fc.constantFrom('mysqlclient', ' '),
      passwordSecretRef: reference,
      password: fc.constantFrom('hunter22'),
    }),
    pkcs12: optional({
      create: fc.boolean(),
      profile: fc.constantFrom('LegacyRC2', 'LegacyDES', 'Modern2023', 'Modern2026', 'Modern2099'),
      passwordSecretRef: reference,
      password: fc.constantFrom('hunter22'),
    }),
  }),
  usages,
  privateKey: optional({
    rotationPolicy: fc.constantFrom('Never', 'Always', 'Sometimes'),
    encoding: fc.constantFrom('PKCS1', 'PKCS8', 'PKCS9'),
    algorithm: fc.constantFrom('RSA', 'ECDSA', 'Ed25519', 'ML-DSA'),
    size: fc.constantFrom(256, 384, 521, 2048, 3000, 4096, 8192),
  }),
  signatureAlgorithm: fc.constantFrom('SHA512WithRSA', 'PureEd25519'),
  encodeUsagesInRequest: fc.boolean(),
  revisionHistoryLimit: fc.nat(),
  additionalOutputFormats: fc.array(fc.record({ type: fc.constantFrom('DER', 'CombinedPEM', 'PEM') }), {
    minLength: 1,
    maxLength: 1,
  }),
  nameConstraints: optional({ critical: fc.boolean(), permitted: subtrees, excluded: subtrees }),
  future: fc.constantFrom(1, 'x', true),
}

const certificate = fc.tuple(optional<Members>(schema), fc.boolean()).map(([spec, isCA]): Found =>
  of('Certificate', 'orders', {
    secretName: 'orders-tls',
    issuerRef: { name: 'ca' },
    ...(isCA ? { isCA } : {}),
    ...spec,
  }),
)

/** A copy without the member at a path of `pathsIn`. */
const without = (value: unknown, [first = '', ...rest]: readonly string[]): unknown => {
  if (typeof value !== 'object' || value === null) return value
  const name = first.replace('[]', '')
  const { [name]: inner, ...others } = value as Members
  if (rest.length === 0) return others
  const left = Array.isArray(inner) ? inner.map((one) => without(one, rest)) : without(inner, rest)
  return { ...others, [name]: left }
}

/** What cert-manager does anyway: to say it changes nothing there either. */
const isDefault = (path: string, value: unknown, spec: Members): boolean => {
  const { privateKey = {}, keystores = {} } = spec as { privateKey?: Members; keystores?: Record<string, Members> }
  const { algorithm = 'RSA' } = privateKey
  const isRsa = algorithm !== 'ECDSA' && algorithm !== 'Ed25519'
  switch (path) {
    case 'spec.privateKey.rotationPolicy':
      return value === 'Always'
    case 'spec.privateKey.encoding':
      return value === 'PKCS1' || algorithm === 'Ed25519'
    case 'spec.privateKey.algorithm':
      return value === 'RSA'
    case 'spec.privateKey.size':
      return value === (isRsa ? 2048 : 256)
    case 'spec.renewal.policy':
      return value === 'RenewBefore'
    case 'spec.isCA':
      return false
    default: {
      // Of a keystore that is not made all that it says is nothing.
      const [, type = ''] = /^spec\.keystores\.(jks|pkcs12)\./.exec(path) ?? []
      return type !== '' && keystores[type]?.['create'] !== true
    }
  }
}

const valueAt = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((inner, name) => {
    const found = (inner as Members | undefined)?.[name.replace('[]', '')]
    return Array.isArray(found) && name.endsWith('[]') ? (found[0] as unknown) : found
  }, value)

const told = ({ authorities, certificates, notes, unwritten }: Migration): string =>
  JSON.stringify(
    [authorities, certificates].map((all) => all.map(({ object }) => object)).concat([notes, unwritten] as never),
  )

const fieldsOf = (found: Found): readonly Field[] =>
  (found.object['spec'] as Members)['isCA'] === true ? authorityFields : certificateFields

describe('a Certificate of any shape', () => {
  it('loses no field without a word, and what is written is accepted', () => {
    fc.assert(
      fc.property(certificate, (found) => {
        const migration = plan(found)
        const { authorities, certificates, unwritten } = migration
        for (const { object } of [...authorities, ...certificates])
          expect(admit(object.kind, object, undefined, { unknownFields: 'Refuse' })).not.toHaveProperty('problems')
        expect(told(migration)).not.toContain('hunter22')
        if (unwritten.some(({ about }) => about.includes('Certificate data/orders'))) return
        const spec = found.object['spec'] as Members
        for (const path of pathsIn(spec, 'spec')) {
          const field = fieldOf(fieldsOf(found), path)
          if (field === undefined && isAbove(fieldsOf(found), path)) continue
          // What the certificate of a CA says is in it already.
          if (spec['isCA'] === true && field?.fate === 'Carried') continue
          if (isDefault(path, valueAt(found.object, path), spec)) continue
          const cut = (field?.path ?? path).split('.')
          const less = { ...found, object: without(found.object, cut) as Members }
          expect(told(plan(less)), path).not.toBe(told(migration))
        }
      }),
      { numRuns: 600 },
    )
  })

  it('never ends the migration, whatever it is', () => {
    const anything = fc.object({
      key: fc.constantFrom(...Object.keys(schema), 'issuerRef', 'create', 'name', '__proto__'),
      maxDepth: 4,
    })
    fc.assert(
      fc.property(
        anything,
        anything,
        fc.constantFrom('Certificate', 'Issuer', 'ClusterIssuer' as const),
        (spec, more, kind) => {
          const found = of(kind, 'x', spec, more)
          const mixed = of('Certificate', 'y', { secretName: 'y', issuerRef: { name: 'ca' }, ...spec }, more)
          const migration = plan(found, mixed)
          const written = [...migration.authorities, ...migration.certificates].flatMap(({ from }) => from.map(titleOf))
          const named = [...written, ...migration.unwritten.map(({ about }) => about)]
          for (const title of [found, mixed].map(titleOf))
            expect(
              named.some((one) => one.includes(title)),
              title,
            ).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('the tables', () => {
  it.each([
    ['certificates', certificateFields],
    ['CAs', authorityFields],
  ] as const)('of %s have a row for every field of the schema', (_name, fields) => {
    fc.assert(
      fc.property(optional<Members>(schema), (spec) => {
        for (const path of pathsIn({ ...spec, future: undefined }, 'spec'))
          expect(fieldOf(fields, path) !== undefined || isAbove(fields, path), path).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
  it('have each path once, and none below another', () => {
    for (const fields of [certificateFields, authorityFields, issuerFields])
      for (const { path } of fields)
        expect(fields.filter((other) => path === other.path || path.startsWith(`${other.path}.`))).toHaveLength(1)
  })
})

describe('docs/migrate-cert-manager.md', () => {
  const page = readFileSync(new URL('../../../docs/migrate-cert-manager.md', import.meta.url), 'utf8')
  // Columns are as wide as the widest cell, which says nothing.
  const narrow = (text: string): string => text.replace(/ {2,}/g, ' ').replace(/-{3,}/g, '---')
  it.each([
    ['Certificate', certificateFields],
    ['Certificate with isCA', authorityFields],
    ['Issuer and ClusterIssuer', issuerFields],
  ] as const)('has the table of %s as the code has it', (title, fields) => {
    const [, section = ''] = page.split(`\n### ${title}\n`)
    expect(narrow(section.trimStart().split('\n\n')[0] ?? '')).toBe(fieldTable(fields))
  })
})
