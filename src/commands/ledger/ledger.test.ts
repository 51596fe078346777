import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { issuedCertificates, type IssuedCertificate } from '../../resources/issued-certificate.ts'
import { main as ledger } from './ledger.ts'
import { main as revoke } from '../objects/revoke.ts'
import { authorityYaml, certificateYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'

const folder = useFolder()
const inData = ['-n', 'data']
const verb = (...args: string[]) => runVerb(ledger, [...args, ...folder.state])
interface Listed {
  readonly items: readonly { readonly serialNumber: string; readonly state: string; readonly commonName?: string }[]
}
const listed = async (...args: string[]): Promise<Listed['items']> => {
  const { code, out, err } = await verb('list', ...inData, '-o', 'json', ...args)
  expect([code, err]).toEqual([0, ''])
  return (JSON.parse(out) as Listed).items
}
const serialOfHolder = (name: string): Promise<string> =>
  folder.inState(async (cluster) => {
    const { items } = await cluster.list(issuedCertificates, { namespace: 'data' })
    return items.find(({ spec }) => spec.certificateRef?.name === name)?.spec.serialNumber ?? ''
  })

describe('dbtls ledger list', () => {
  it('shows what was signed, for whom, and in which state', async () => {
    await folder.render(authorityYaml() + certificateYaml() + certificateYaml('reports'))
    const serial = await serialOfHolder('reports')
    await runVerb(revoke, [serial, '--authority', 'data/ca', '--reason', 'keyCompromise', ...folder.state])
    const { code, out, err } = await verb('list', '--authority', 'data/ca')
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^SERIAL +STATE +NOT AFTER +ISSUED FOR +SUBJECT\n/)
    expect(out).toMatch(new RegExp(`\n${serial} +Revoked \\(keyCompromise\\) +20\\S+Z +data/reports`))
    expect(out).toMatch(/\n[0-9A-F]{32} +Valid +20\S+Z +data\/orders/)
    expect(out).toContain('\n3 certificates: 2 valid, 1 revoked\n')
  })

  it('selects by state, common name and serial number', async () => {
    await folder.render(authorityYaml() + certificateYaml('orders', '  subject: {commonName: orders.data.svc}'))
    const serial = await serialOfHolder('orders')
    expect(await listed('--common-name', 'ORDERS*')).toMatchObject([{ commonName: 'orders.data.svc' }])
    expect(await listed('--common-name', 'orders')).toEqual([])
    expect(await listed('--status', 'valid,expired')).toHaveLength(2)
    expect(await listed('--status', 'Revoked')).toEqual([])
    const spelled = serial.toLowerCase().replace(/..(?=.)/g, '$&:')
    expect(await listed('--serial', spelled)).toMatchObject([{ serialNumber: serial, state: 'Valid' }])
  })

  it.each([
    [['list', '--authority', 'data/other'], 1, 'there is no CertificateAuthority data/other'],
    [['list', '--status', 'Lost'], 2, '--status is one of Valid, Superseded, Revoked, Expired'],
    [['list', '--serial', 'xyz'], 2, 'hex digits'],
    [
      ['show', 'AB', '--authority', 'data/ca'],
      1,
      'serial number AB is not in the ledger of CertificateAuthority data/ca',
    ],
    [['show'], 2, 'name one serial number'],
    [['export', '--authority', 'data/ca'], 2, '--openssl DIR'],
    [['export', '--openssl', 'x', '--authority', 'data/ca', '--plain-key'], 2, 'go with --with-key'],
    [['forget'], 2, '"forget" is none of'],
  ])('%j ends with exit code %d', async (args, expected, sentence) => {
    await folder.render(authorityYaml())
    const { code, err } = await verb(...args)
    expect([code, err]).toEqual([expected, expect.stringContaining(sentence)])
  })
})

describe('dbtls ledger show', () => {
  it('says in words what openssl x509 -text says, and prints the certificate', async () => {
    await folder.render(authorityYaml() + certificateYaml())
    const serial = await serialOfHolder('orders')
    const args = [
      '--authority',
      'data/ca',
      '--reason',
      'superseded',
      '--invalidity-time',
      '2026-01-31',
      ...folder.state,
    ]
    await runVerb(revoke, [serial, ...args])
    const { code, out } = await verb('show', serial, ...inData)
    expect(code).toBe(0)
    expect(out).toMatch(
      new RegExp(`^Serial number: +${serial}\nState: +Revoked at 20\\S+Z \\(.*\\), reason superseded`),
    )
    expect(out).toMatch(/not to be trusted since 2026-01-31T00:00:00Z/)
    expect(out).toMatch(/\nNames: +DNS:orders\.data\.svc\n/)
    expect(out).toMatch(/\nPublic key: +ECDSA 256\n/)
    const text = execFileSync('openssl', ['x509', '-noout', '-serial'], { input: out, encoding: 'utf8' })
    expect(text).toBe(`serial=${serial}\n`)
  })

  it('asks for the authority where two have signed under one number', async () => {
    await folder.render(authorityYaml('a') + authorityYaml('b') + certificateYaml('orders', '', 'a'))
    const serial = await serialOfHolder('orders')
    await folder.inState(async (cluster) => {
      const { items } = await cluster.list(issuedCertificates, { fieldSelector: `spec.serialNumber=${serial}` })
      const [entry] = items
      const other = {
        ...entry,
        metadata: { name: 'twin', namespace: 'data' },
        spec: { ...entry?.spec, authorityRef: { ...entry?.spec.authorityRef, name: 'b' } },
      } as IssuedCertificate
      await cluster.create(issuedCertificates, other, { fieldManager: 'test' })
    })
    const { code, err } = await verb('show', serial, ...inData)
    expect([code, err]).toEqual([1, expect.stringContaining('was signed by data/')])
    expect((await verb('show', serial, '--authority', 'data/b')).out).toMatch(/Authority: +data\/b/)
  })
})

describe('dbtls ledger export', () => {
  const exportTo = (path: string, ...args: string[]) =>
    verb('export', '--openssl', path, '--authority', 'data/ca', ...args)
  const modes = (path: string): string[] =>
    readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => {
      const found = statSync(join(path, name))
      return `${(found.mode & 0o777).toString(8)} ${found.isDirectory() ? 'd' : 'f'}`
    })

  it('writes a folder that nobody else reads, and no key unless asked', async () => {
    await folder.render(authorityYaml() + certificateYaml())
    const path = folder.path('openssl')
    expect(await exportTo(path)).toMatchObject({ code: 0, err: '' })
    expect(readdirSync(path).toSorted()).toEqual([
      'cacert.pem',
      'crlnumber',
      'index.txt',
      'index.txt.attr',
      'newcerts',
      'openssl.cnf',
      'serial',
    ])
    expect(new Set(modes(path))).toEqual(new Set(['600 f', '700 d']))
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(readFileSync(join(path, 'index.txt'), 'utf8').split('\n')).toHaveLength(3)
    // Again over itself.
    expect(await exportTo(path)).toMatchObject({ code: 0, err: '' })
  })

  it('keeps the key under the passphrase given, or plain only if told so', async () => {
    await folder.render(authorityYaml())
    const path = folder.path('openssl')
    expect(await exportTo(path, '--with-key')).toMatchObject({
      code: 1,
      err: expect.stringContaining('--passphrase-file') as string,
    })
    const file = folder.file('pass', 'correct horse\n')
    expect(await exportTo(path, '--with-key', '--passphrase-file', file)).toMatchObject({ code: 0 })
    const key = join(path, 'private/cakey.pem')
    expect(readFileSync(key, 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    const spki = execFileSync('openssl', ['pkey', '-in', key, '-passin', `file:${file}`, '-pubout'], {
      encoding: 'utf8',
    })
    const args = ['x509', '-in', join(path, 'cacert.pem'), '-noout', '-pubkey']
    expect(spki).toBe(execFileSync('openssl', args, { encoding: 'utf8' }))
    expect(await exportTo(path, '--with-key', '--plain-key')).toMatchObject({ code: 0 })
    expect(readFileSync(key, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  })

  const pass = `apiVersion: v1
kind: Secret
metadata: {name: pass, namespace: data}
stringData: {passphrase: stored one}
---
`
  it('leaves a key under the passphrase of its authority', async () => {
    await folder.render(pass + authorityYaml('ca', 'privateKey: {passphraseSecretRef: {name: pass}}'))
    const path = folder.path('openssl')
    const file = folder.file('pass', 'stored one')
    expect(await exportTo(path, '--with-key', '--passphrase-file', file)).toMatchObject({ code: 1 })
    expect(await exportTo(path, '--with-key')).toMatchObject({ code: 0 })
    const key = join(path, 'private/cakey.pem')
    execFileSync('openssl', ['pkey', '-in', key, '-passin', `file:${file}`, '-noout'])
  })

  it.each([
    ['something else', 'notes.txt', () => 'mine', 'is not empty, and no export of dbtls'],
    [
      'what openssl has signed',
      'index.txt',
      (text: string) => `${text}V\t301221054427Z\t\t77\tunknown\t/CN=x\n`,
      'take it over first',
    ],
    [
      'what openssl has revoked',
      'index.txt',
      (text: string) => text.replace(/^V\t(\d+Z)\t/, 'R\t$1\t261121054427Z'),
      'the ledger does not',
    ],
    ['newer revocation lists', 'crlnumber', () => '99\n', 'revocation lists that dbtls does not know'],
    ['a broken index.txt', 'index.txt', () => 'V\n', 'cannot be read'],
  ])('does not write over %s', async (_, name, change, sentence) => {
    await folder.render(authorityYaml() + certificateYaml())
    const path = folder.path('openssl')
    if (name === 'notes.txt') execFileSync('mkdir', [path])
    else expect(await exportTo(path)).toMatchObject({ code: 0 })
    const before = name === 'notes.txt' ? '' : readFileSync(join(path, name), 'utf8')
    writeFileSync(join(path, name), change(before))
    const changed = readFileSync(join(path, name), 'utf8')
    expect(await exportTo(path)).toMatchObject({ code: 1, err: expect.stringContaining(sentence) as string })
    expect(readFileSync(join(path, name), 'utf8')).toBe(changed)
  })

  it('does not write over the folder of another authority', async () => {
    await folder.render(authorityYaml() + authorityYaml('other'))
    const path = folder.path('openssl')
    expect(await exportTo(path)).toMatchObject({ code: 0 })
    const answer = await verb('export', '--openssl', path, '--authority', 'data/other')
    expect(answer).toMatchObject({ code: 1, err: expect.stringContaining('is the folder of another CA') as string })
  })
})
