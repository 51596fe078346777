import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseManifests, problemText, readManifests } from './manifests.ts'

const authority = `apiVersion: dbtls.dev/v1alpha1
kind: CertificateAuthority
metadata: {name: ca, namespace: data}
spec: {source: {selfSigned: {}}, subject: {commonName: CA}}
`
const certificate = (spec: string): string => `# a comment
apiVersion: dbtls.dev/v1alpha1
kind: DatabaseCertificate
metadata:
  name: orders
spec:
  authorityRef: {name: ca}
  secret:
    name: orders-tls
${spec}`

const texts = (text: string): string[] => parseManifests('f.yaml', text).problems.map(problemText)

describe('parseManifests', () => {
  it('reads several documents, comments and Lists, and gives each object its line and namespace', () => {
    const list = `apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Namespace
    metadata: {name: data}
  - apiVersion: v1
    kind: Secret
    metadata: {name: p}
`
    const { manifests, problems } = parseManifests('f.yaml', `${authority}---\n# nothing here\n---\n${list}`)
    expect(problems).toEqual([])
    const found = manifests.map(({ object, line }) => [object.kind, object.metadata.namespace, line])
    expect(found).toEqual([
      ['CertificateAuthority', 'data', 1],
      ['Namespace', undefined, 11],
      ['Secret', 'default', 14],
    ])
  })
  it.each<[string, string, string]>([
    ['a value', '  dnsNames: [ok.svc]\n  duration: nonsense\n', 'f.yaml:11: spec.duration: '],
    ['an element of a list', '  dnsNames:\n    - ok.svc\n    - not ok\n', 'f.yaml:12: spec.dnsNames[1]: '],
    ['a field nobody knows', '  dnsNames: [ok.svc]\n  dnsName: x\n', 'f.yaml:11: spec.dnsName: '],
    [
      'what is missing, at its parent',
      '    items:\n      - key: tls.crt\n',
      'f.yaml:11: spec.secret.items[0].content: ',
    ],
  ])('names the line of %s', (_, spec, expected) => {
    expect(
      texts(certificate(spec)).some((text) => text.startsWith(expected)),
      texts(certificate(spec)).join('\n'),
    ).toBe(true)
  })
  it.each<[string, string, string]>([
    ['broken YAML', 'a: [\n', 'f.yaml:'],
    ['something that is no object', 'just: text\n', 'f.yaml:1: apiVersion and kind are missing'],
    [
      'an object without a name',
      'apiVersion: v1\nkind: Secret\nmetadata: {}\n',
      'f.yaml:3: metadata.name: Required value',
    ],
  ])('does not know what a file holds that has %s', (_, text, expected) => {
    const { problems, unreadable } = parseManifests('f.yaml', text)
    expect(problems.map(problemText)[0]).toMatch(expected)
    expect(unreadable).toEqual(['f.yaml'])
  })
  it('names the first of two objects of one name', () => {
    expect(texts(`${authority}---\n${authority}`)).toEqual([
      'f.yaml:8: metadata.name: CertificateAuthority/data/ca is already defined at f.yaml:1',
    ])
  })
  it('skips kinds that are none of ours, and says so', () => {
    const { warnings, problems } = parseManifests('f.yaml', 'apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n')
    expect(problems).toEqual([])
    expect(warnings.map(problemText)).toEqual(['f.yaml:2: kind: v1 Pod is not a kind dbtls works with: skipped'])
  })
  it.each([
    ['dbtls.dev/v1', 'CertificateAuthority', /^f\.yaml:1: apiVersion: .*served as dbtls\.dev\/v1alpha1$/],
    ['dbtls.dev', 'CertificateAuthority', /^f\.yaml:1: apiVersion: /],
    ['dbtls.dev/v1alpha1', 'DatabaseCertifcate', /^f\.yaml:2: kind: .*DatabaseCertificate/],
  ])('refuses %s %s, which was meant for us', (apiVersion, kind, expected) => {
    const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\n`
    const { unreadable, problems, warnings } = parseManifests('f.yaml', text)
    expect(problems.map(problemText)).toEqual([expect.stringMatching(expected)])
    expect([unreadable, warnings]).toEqual([['f.yaml'], []])
  })
  it('says of a name that is a number that it is none', () => {
    expect(texts('apiVersion: v1\nkind: Secret\nmetadata: {name: 123}\n')).toEqual([
      'f.yaml:3: metadata.name: Invalid value: 123: a name is a string; put it in quotes',
    ])
  })
  it('names an object whose manifest is wrong, so that nobody takes it for removed', () => {
    const { named, manifests } = parseManifests('f.yaml', certificate('  duration: nonsense\n'))
    expect(manifests).toEqual([])
    expect([...named]).toEqual(['DatabaseCertificate/default/orders'])
  })
  it('quotes nothing of a file it cannot read', () => {
    const text = 'kind: Secret\nstringData:\n  password: "correct horse\n'
    expect(texts(text).join(' ')).not.toContain('horse')
  })
  it('survives documents made to exhaust it', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'.split('').map((name, i) => `${name}: &${name} [${`*${'abcdefghi'[i]},`.repeat(9)}]`),
    ]
    expect(texts(bomb.join('\n'))).toHaveLength(1)
    expect(texts('['.repeat(100_000))).toHaveLength(1)
  })
  it('keeps a member called __proto__ a member', () => {
    const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {__proto__: polluted}\n'
    const [manifest] = parseManifests('f.yaml', text).manifests
    expect(manifest?.object).toHaveProperty('data')
    const data = (manifest?.object as unknown as { data?: object } | undefined)?.data ?? {}
    expect(Object.keys(data)).toEqual(['__proto__'])
  })
})

describe('readManifests', () => {
  it('reads folders in the order of their names, without hidden files, and says what it cannot read', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dbtls-manifests-'))
    mkdirSync(join(folder, 'b'))
    const secret = (name: string) => `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"${name}"}}`
    for (const [path, name] of [
      ['z.json', 'z'],
      ['b/a.yml', 'ba'],
      ['a.yaml', 'a'],
      ['.hidden.yaml', 'h'],
      ['notes.txt', 'n'],
    ] as const)
      writeFileSync(join(folder, path), secret(name))
    const { manifests, problems } = await readManifests([folder, join(folder, 'missing.yaml')])
    expect(manifests.map(({ object }) => object.metadata.name)).toEqual(['a', 'ba', 'z'])
    expect(problems.map(problemText)).toEqual([
      `${join(folder, 'missing.yaml')}:1: there is no such file or folder (ENOENT)`,
    ])
    rmSync(folder, { recursive: true })
  })
  it('names a link that leads nowhere, reads the rest, and follows no link back to where it is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dbtls-manifests-'))
    writeFileSync(join(folder, 'b.yaml'), 'apiVersion: v1\nkind: Secret\nmetadata: {name: b}\n')
    symlinkSync('nowhere.yaml', join(folder, 'a.yaml'))
    symlinkSync('.', join(folder, 'again'))
    const { manifests, problems, unreadable } = await readManifests([folder])
    expect(manifests.map(({ object }) => object.metadata.name)).toEqual(['b'])
    expect(problems.map(problemText)).toEqual([`${join(folder, 'a.yaml')}:1: there is no such file or folder (ENOENT)`])
    expect(unreadable).toEqual([join(folder, 'a.yaml')])
    rmSync(folder, { recursive: true })
  })
})
