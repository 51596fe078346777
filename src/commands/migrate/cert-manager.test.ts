/** cert-manager's own examples, and what a person may have made of them. */
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { runVerb, useFolder } from '../shared/verb.fixture.ts'
import { admit } from '../../resources/validate.ts'
import { acme, bootstrap, caIssuer, exampleCertificate, rarer, vault } from './documentation.fixture.ts'
import { main } from './migrate.ts'

const folder = useFolder()

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly spec: Record<string, unknown>
}

/** Manifests printed for these, the lines beside them, and the exit code; each manifest as the API server takes it. */
const migrate = async (manifests: string, ...args: string[]) => {
  const { code, out, err } = await runVerb(main, ['cert-manager', '-f', folder.file('cm.yaml', manifests), ...args])
  const written = parseAllDocuments(out).map((document) => document.toJS() as Manifest)
  for (const one of written)
    expect(admit(one.kind, one as never, undefined, { unknownFields: 'Refuse' })).not.toHaveProperty('problems')
  return { code, written, lines: err.split('\n') }
}

/** A Certificate of the CA issuer, with these lines in its spec. */
const certificateWith = (spec: string, name = 'orders'): string => `---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: ${name}, namespace: sandbox}
spec:
  secretName: ${name}-tls
  issuerRef: {name: ca-issuer}
${spec.replace(/^/gm, '  ')}
`
const specOf = async (spec: string) => {
  const { written, lines, code } = await migrate(`${caIssuer}${certificateWith(spec)}`)
  return { spec: written.find(({ kind }) => kind === 'DatabaseCertificate')?.spec, lines, code }
}
const about = (lines: readonly string[], field: string): string[] =>
  lines.filter((line) => line.includes(` ${field}: `))

describe('the examples of cert-manager', () => {
  it('of a Certificate with a CA issuer', async () => {
    const { code, written, lines } = await migrate(`${caIssuer}---\n${exampleCertificate}`)
    expect(written).toEqual([
      {
        apiVersion: 'dbtls.dev/v1alpha1',
        kind: 'CertificateAuthority',
        metadata: { name: 'ca-issuer', namespace: 'sandbox' },
        spec: { source: { secret: { name: 'ca-key-pair' } } },
      },
      {
        apiVersion: 'dbtls.dev/v1alpha1',
        kind: 'DatabaseCertificate',
        metadata: { name: 'example-com', namespace: 'sandbox' },
        spec: {
          authorityRef: { name: 'ca-issuer' },
          role: 'Peer',
          subject: { commonName: 'example.com', organizations: ['cert-manager'] },
          dnsNames: ['example.com', 'www.example.com'],
          ipAddresses: ['192.168.0.5'],
          uris: ['spiffe://cluster.local/ns/sandbox/sa/example'],
          emailAddresses: ['john.doe@cert-manager.io'],
          duration: '90d',
          renewBefore: '15d',
          privateKey: { algorithm: 'RSA', size: 2048, encoding: 'PKCS1' },
          secret: {
            name: 'example-com-tls',
            type: 'kubernetes.io/tls',
            items: [
              { key: 'tls.crt', content: 'CertificateChain' },
              { key: 'tls.key', content: 'PrivateKey' },
              { key: 'ca.crt', content: 'TrustBundle' },
              { key: 'keystore.p12', content: 'PKCS12Keystore' },
              { key: 'truststore.p12', content: 'PKCS12Truststore' },
            ],
            labels: { 'my-secret-label': 'foo' },
            annotations: { 'my-secret-annotation-1': 'foo', 'my-secret-annotation-2': 'bar' },
          },
          keystore: {
            passwordSecretRef: { name: 'example-com-tls-keystore', key: 'password' },
            pkcs12Profile: 'Modern2023',
          },
        },
      },
    ])
    expect(lines.filter((line) => line.startsWith('note'))).toEqual([
      expect.stringContaining(
        'Issuer sandbox/ca-issuer: spec.ca.crlDistributionPoints: what dbtls signs says where dbtls publishes',
      ),
    ])
    expect(code).toBe(0)
    expect(lines.filter((line) => / {5}(kubectl|dbtls) /.test(line)).map((line) => line.trim())).toEqual([
      'kubectl -n sandbox delete certificate example-com --cascade=orphan',
      'kubectl -n sandbox annotate secret example-com-tls dbtls.dev/adopt=true',
      'kubectl apply -f dbtls.yaml',
      'dbtls status -n sandbox',
      'kubectl -n sandbox delete issuer ca-issuer',
    ])
  })

  it('of a CA that was bootstrapped: its Secret is brought along, and who renews it is told', async () => {
    const { code, written, lines } = await migrate(bootstrap)
    expect(written.map(({ kind, metadata, spec }) => [kind, metadata.name, spec])).toEqual([
      ['CertificateAuthority', 'my-ca-issuer', { source: { secret: { name: 'root-secret' } } }],
    ])
    expect(lines).toContainEqual(
      expect.stringMatching(/^note +Certificate sandbox\/my-selfsigned-ca: cert-manager has renewed this CA/),
    )
    expect(lines).toContainEqual(expect.stringMatching(/^left +ClusterIssuer selfsigned-issuer: spec.selfSigned: /))
    expect(lines).toContain('     kubectl -n sandbox delete certificate my-selfsigned-ca --cascade=orphan')
    expect(code).toBe(1)
  })

  it.each([
    ['ACME', acme, ['ClusterIssuer letsencrypt-staging', 'Certificate default/acme-crt']],
    ['Vault', vault, ['Issuer sandbox/vault-issuer']],
  ])('of %s, which stay with cert-manager', async (word, manifests, names) => {
    const { code, written, lines } = await migrate(manifests)
    expect(written).toEqual([])
    expect(code).toBe(1)
    for (const name of names)
      expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^left +${name}: spec\\.\\w+: .*${word}`)))
    expect(lines.filter((line) => line.includes('kubectl'))).toEqual([])
  })

  it('of rarer fields', async () => {
    const { written, lines } = await migrate(`${caIssuer}---\n${rarer}`)
    expect(written[1]?.spec).toMatchObject({
      subject: { literal: 'C=US,O=Snake Oil,OU=Root,CN=snakes' },
      usages: ['digitalSignature'],
      privateKey: { algorithm: 'ECDSA', size: 256, encoding: 'SEC1' },
    })
    expect(written[1]?.spec['secret']).toMatchObject({
      items: expect.arrayContaining([
        { key: 'tls-combined.pem', content: 'KeyThenChain' },
        { key: 'key.der', content: 'PrivateKeyDER' },
      ]) as unknown,
    })
    expect(about(lines, 'spec.otherNames')).toHaveLength(1)
  })
})

describe('a Certificate', () => {
  it.each<[string, string, object]>([
    ['without usages, of RSA', 'dnsNames: [a.b]', { usages: ['digitalSignature', 'keyEncipherment'] }],
    ['of a server', 'dnsNames: [a.b]\nusages: [digital signature, key encipherment, server auth]', { role: 'Server' }],
    ['of a client', 'commonName: app\nprivateKey: {algorithm: ECDSA}\nusages: [client auth]', { role: 'Client' }],
    [
      "with Go's long durations",
      'dnsNames: [a.b]\nduration: 2160h0m0s\nrenewBefore: 1h30m',
      { duration: '90d', renewBefore: '1h30m' },
    ],
    ['with a share of its life', 'dnsNames: [a.b]\nrenewBeforePercentage: 25', { renewBeforePercentage: 25 }],
    [
      'that keeps its key',
      'dnsNames: [a.b]\nprivateKey: {rotationPolicy: Never, encoding: PKCS8}',
      {
        privateKey: { algorithm: 'RSA', size: 2048, encoding: 'PKCS8', rotation: 'Never' },
      },
    ],
    [
      'of Ed25519',
      'dnsNames: [a.b]\nprivateKey: {algorithm: Ed25519}',
      { privateKey: { algorithm: 'Ed25519', encoding: 'PKCS8' } },
    ],
    [
      'with a subject whose order differs from that of dbtls',
      'commonName: app\nsubject: {countries: [DE], provinces: [Hessen], organizations: [Acme], postalCodes: ["60311"]}',
      {
        subject: {
          literal: `CN=app,2.5.4.17=#${Buffer.from('\u0013\u000560311').toString('hex')},ST=Hessen,O=Acme,C=DE`,
        },
      },
    ],
    [
      'with windows',
      'dnsNames: [a.b]\nrenewal: {windows: [{cron: "0 2 ? JAN-MAR SAT", windowDuration: 2h0m0s, timezone: Europe/Berlin}]}',
      { rotation: { windows: [{ cron: '0 2 * 1-3 6', duration: '2h', timeZone: 'Europe/Berlin' }] } },
    ],
  ])('%s', async (_name, text, expected) => {
    const { spec, lines } = await specOf(text)
    expect(spec).toMatchObject(expected)
    expect(lines.filter((line) => line.startsWith('note') && line.includes('Certificate'))).toEqual([])
  })

  it.each<[string, string, string]>([
    [
      'a password in the manifest',
      'dnsNames: [a.b]\nkeystores: {jks: {create: true, password: hunter22}}',
      'spec.keystores.jks.password',
    ],
    [
      'two passwords',
      'dnsNames: [a.b]\nkeystores: {jks: {create: true, passwordSecretRef: {name: a}}, pkcs12: {create: true, profile: Modern2023, passwordSecretRef: {name: b}}}',
      'spec.keystores.pkcs12.passwordSecretRef',
    ],
    [
      'a keystore of the oldest form',
      'dnsNames: [a.b]\nkeystores: {pkcs12: {create: true, passwordSecretRef: {name: a, key: k}}}',
      'spec.keystores.pkcs12.profile',
    ],
    [
      'a keystore that is not made',
      'dnsNames: [a.b]\nkeystores: {jks: {create: false, passwordSecretRef: {name: a}}}',
      'spec.keystores.jks.create',
    ],
    ['renewal switched off', 'dnsNames: [a.b]\nrenewal: {policy: Disabled}', 'spec.renewal.policy'],
    ['usages that dbtls does not give', 'dnsNames: [a.b]\nusages: [any, ipsec user, server auth]', 'spec.usages'],
    ['a key of 8192 bits', 'dnsNames: [a.b]\nprivateKey: {size: 8192}', 'spec.privateKey.size'],
    [
      'annotations of other tools',
      'dnsNames: [a.b]\nsecretTemplate: {annotations: {reflector.v1.k8s.emberstack.com/reflection-allowed: "true"}}',
      'spec.secretTemplate.annotations',
    ],
    ['several organizations', 'commonName: app\nsubject: {organizations: [A, B]}', 'spec.subject.organizations'],
    ['name constraints', 'dnsNames: [a.b]\nnameConstraints: {permitted: {dnsDomains: [b]}}', 'spec.nameConstraints'],
    ['a field of tomorrow', 'dnsNames: [a.b]\nquantum: {safe: true}', 'spec.quantum.safe'],
    ['a duration that is none', 'dnsNames: [a.b]\nduration: 90 days', 'spec.duration'],
    ['a list that is none', 'commonName: app\ndnsNames: a.b', 'spec.dnsNames'],
  ])('with %s is written, and that is told', async (_name, text, field) => {
    const { spec, lines, code } = await specOf(text)
    expect(spec).toBeDefined()
    expect(about(lines, field)).toHaveLength(1)
    expect(lines.join('\n')).not.toContain('hunter22')
    expect(code).toBe(0)
  })

  it.each<[string, string, RegExp]>([
    ['a name that dbtls does not sign', 'dnsNames: ["a b"]', /dnsNames\[0\]/],
    ['a country of three letters', 'commonName: a\nsubject: {countries: [DEU], localities: [x]}', /spec\.subject: /],
    ['no name', 'usages: [server auth]', /a certificate needs a name/],
    ['a longer renewal than life', 'dnsNames: [a.b]\nduration: 1h\nrenewBefore: 2h', /renewBefore must be shorter/],
  ])('with %s is not written, and stays with cert-manager', async (_name, text, reason) => {
    const { spec, lines, code } = await specOf(text)
    expect(spec).toBeUndefined()
    expect(lines).toContainEqual(expect.stringMatching(/^left +Certificate sandbox\/orders: /))
    expect(lines.join('\n')).toMatch(reason)
    expect(code).toBe(1)
  })

  it.each<[string, string, RegExp]>([
    [
      'whose issuer is not there',
      certificateWith('dnsNames: [a.b]').replace('ca-issuer', 'another'),
      /Issuer sandbox\/another is not among what was read/,
    ],
    [
      'of an issuer of others',
      certificateWith('dnsNames: [a.b]').replace(
        '{name: ca-issuer}',
        '{name: x, group: awspca.cert-manager.io, kind: AWSPCAIssuer}',
      ),
      /is an issuer of others/,
    ],
    [
      'on a Secret that another one has',
      `${certificateWith('dnsNames: [a.b]')}${certificateWith('dnsNames: [a.b]\n').replace('name: orders,', 'name: twice,')}`,
      /twice: spec\.secretName: its Secret is that of Certificate sandbox\/orders/,
    ],
    [
      'on the Secret of its CA',
      certificateWith('dnsNames: [a.b]').replace('orders-tls', 'ca-key-pair'),
      /is that of a CA/,
    ],
    [
      'of another version',
      certificateWith('dnsNames: [a.b]').replace('/v1', '/v1alpha2'),
      /read by no cert-manager of today/,
    ],
  ])('%s is left', async (_name, manifest, reason) => {
    const { lines, code } = await migrate(`${caIssuer}${manifest}`)
    expect(lines.filter((line) => line.startsWith('left')).join('\n')).toMatch(reason)
    expect(code).toBe(1)
  })

  it('that an Ingress has made is told apart', async () => {
    const owned = certificateWith('dnsNames: [a.b]').replace(
      'namespace: sandbox}',
      'namespace: sandbox, ownerReferences: [{kind: Ingress, name: shop}]}',
    )
    const { lines } = await migrate(`${caIssuer}${owned}`)
    expect(about(lines, 'metadata.ownerReferences')).toEqual([expect.stringContaining('Ingress shop has made it')])
  })

  it('of a database server comes with a hint', async () => {
    const mysql = certificateWith('dnsNames: [orders-mysql.sandbox.svc, "*.orders-mysql.sandbox.svc"]', 'orders-mysql')
    const { lines } = await migrate(`${caIssuer}${mysql}`)
    expect(lines).toContainEqual(expect.stringMatching(/^hint .*engine: MySQL, topology\.services: \[orders-mysql\]/))
  })
})

describe('issuers', () => {
  it('of one Secret become one CA; a ClusterIssuer serves all namespaces', async () => {
    const two = `${caIssuer}---
${caIssuer.replace('name: ca-issuer', 'name: same-key')}---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: ca-issuer}
spec: {ca: {secretName: corp}}
${certificateWith('dnsNames: [a.b]').replace('{name: ca-issuer}', '{name: ca-issuer, kind: ClusterIssuer}')}`
    const { written } = await migrate(two, '--cluster-resource-namespace', 'sandbox')
    expect(
      written.map(({ metadata, spec }) => [metadata.namespace, metadata.name, spec['source'] ?? spec['authorityRef']]),
    ).toEqual([
      ['sandbox', 'ca-issuer', { secret: { name: 'ca-key-pair' } }],
      ['sandbox', 'ca-issuer-cluster', { secret: { name: 'corp' } }],
      ['sandbox', 'orders', { name: 'ca-issuer-cluster' }],
    ])
    expect(written[1]?.spec['allowedNamespaces']).toEqual({ from: 'All' })
    const elsewhere = await migrate(two)
    expect(elsewhere.written.at(-1)?.spec['authorityRef']).toEqual({ name: 'ca-issuer', namespace: 'cert-manager' })
  })

  it('leave the Secret alone that a Certificate has where dbtls would keep what it remembers of a CA', async () => {
    const { written } = await migrate(
      `${caIssuer}${certificateWith('dnsNames: [a.b]').replace('orders-tls', 'ca-issuer-ca')}`,
    )
    expect(written[0]?.spec['secretName']).toBe('ca-issuer-dbtls-record')
  })
})

describe('the command', () => {
  it('writes a file for each object, into a new folder only', async () => {
    const file = folder.file('cm.yaml', `${caIssuer}---\n${exampleCertificate}`)
    const into = ['cert-manager', '-f', file, '--out', folder.path('dbtls')]
    const { code, out } = await runVerb(main, into)
    expect([code, out]).toEqual([0, ''])
    const again = await runVerb(main, into)
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('is not empty')])
  })

  it.each<[string, string[], number, RegExp]>([
    ['nothing of cert-manager', [], 1, /nothing of cert-manager was found/],
    ['a folder that is not there', ['-f', '/nowhere/at/all'], 1, /there is no such file/],
    ['a cluster beside files', ['-A'], 2, /no cluster is read/],
    ['words', ['data'], 2, /name manifests with -f/],
  ])('tells of %s', async (_name, args, code, message) => {
    const file = folder.file('none.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n')
    const answer = await runVerb(main, ['cert-manager', ...(args[0] === '-f' ? [] : ['-f', file]), ...args])
    expect(answer.code).toBe(code)
    expect(answer.err).toMatch(message)
  })

  it('tells from what it cannot migrate', async () => {
    expect((await runVerb(main, ['vault'])).code).toBe(2)
    expect((await runVerb(main, ['--help'])).out).toContain('cert-manager')
  })
})
