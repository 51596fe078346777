import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secrets } from '../../resources/core.ts'
import { readPart } from './contents.ts'
import { main } from './inspect.ts'
import { authorityYaml, certificateYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'

let made = ''
const at = (name: string): string => join(made, name)
const run = (command: string): void => void execFileSync('sh', ['-c', command], { cwd: made, stdio: 'pipe' })
const password = 'p4ss word of tests'

/** By openssl and keytool, so that the reader meets the forms that tools write. */
beforeAll(() => {
  made = mkdtempSync(join(tmpdir(), 'dbtls-inspect-'))
  writeFileSync(at('password'), `${password}\n`)
  writeFileSync(
    at('ca.cnf'),
    '[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=30\n',
  )
  writeFileSync(at('index.txt'), 'R\t300101000000Z\t260101000000Z,keyCompromise\t4F0C\tunknown\t/CN=lost\n')
  writeFileSync(at('crlnumber'), '2A\n')
  run(`
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key -quiet
    openssl req -x509 -key ca.key -out ca.crt -days 30 -subj /CN=Acme -addext keyUsage=critical,keyCertSign,cRLSign
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out leaf.key -quiet
    openssl req -new -key leaf.key -out leaf.csr -subj /CN=db -addext subjectAltName=DNS:db.svc,IP:10.0.0.1
    openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -copy_extensions copyall -days 20 -out leaf.crt
    cat leaf.key leaf.crt ca.crt > all.pem
    openssl x509 -in leaf.crt -outform DER -out leaf.der
    openssl req -in leaf.csr -outform DER -out csr.der
    openssl pkey -in leaf.key -outform DER -out key.der
    openssl pkey -in leaf.key -pubout -out public.pem
    openssl pkey -in leaf.key -pubout -outform DER -out public.der
    openssl ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.crt -out ca.crl
    openssl crl -in ca.crl -outform DER -out crl.der
    openssl crl2pkcs7 -nocrl -certfile leaf.crt -certfile ca.crt -out both.p7b
    openssl crl2pkcs7 -nocrl -certfile leaf.crt -outform DER -out one.p7b
    openssl x509 -in ca.crt -trustout -addtrust serverAuth -out trusted.pem
    openssl pkcs8 -topk8 -in leaf.key -passout file:password -out sealed.key
    openssl pkcs8 -topk8 -in leaf.key -passout file:password -outform DER -out sealed.der
    openssl rsa -in leaf.key -aes128 -traditional -passout file:password -out traditional.key
    openssl pkcs12 -export -inkey leaf.key -in leaf.crt -certfile ca.crt -name db -passout file:password -out store.p12
    openssl ecparam -name secp256k1 -genkey -noout -out odd.key
    openssl ecparam -name prime256v1 -out curve.pem
  `)
}, 60_000)
afterAll(() => rmSync(made, { recursive: true }))

const part = (name: string, ...passwords: string[]) => readPart(name, readFileSync(at(name)), passwords)

describe('what a file is', () => {
  it.each<[string, string, string[]]>([
    ['all.pem', 'PEM', ['privateKey', 'certificate', 'certificate']],
    ['leaf.csr', 'PEM', ['certificateRequest']],
    ['ca.crl', 'PEM', ['revocationList']],
    ['public.pem', 'PEM', ['publicKey']],
    ['trusted.pem', 'PEM', ['certificate']],
    ['both.p7b', 'PEM', ['certificate', 'certificate']],
    ['one.p7b', 'PKCS#7', ['certificate']],
    ['leaf.der', 'DER', ['certificate']],
    ['csr.der', 'DER', ['certificateRequest']],
    ['crl.der', 'DER', ['revocationList']],
    ['key.der', 'DER', ['privateKey']],
    ['public.der', 'DER', ['publicKey']],
    ['odd.key', 'PEM', ['privateKey']],
    ['curve.pem', 'PEM', ['other']],
    ['sealed.key', 'PEM', ['privateKey']],
    ['sealed.der', 'DER', ['privateKey']],
    ['traditional.key', 'PEM', ['privateKey']],
    ['store.p12', 'PKCS#12', ['privateKey', 'certificate', 'certificate']],
    ['password', 'text', []],
  ])('%s is %s', async (name, form, types) => {
    const found = await part(name, 'wrong one', password)
    expect([found.form, found.contents.map(({ type }) => type)]).toEqual([form, types])
  })
  it('finds one public key in a key, its request, its certificate and its keystore', async () => {
    const names = ['leaf.key', 'key.der', 'sealed.key', 'public.pem', 'leaf.csr', 'leaf.crt', 'store.p12']
    const hashes = await Promise.all(
      names.map(async (name) => (await part(name, password)).contents.map((one) => Object(one) as object)[0]),
    )
    const spki = execFileSync('sh', ['-c', `sha256sum < '${at('public.der')}'`], { encoding: 'utf8' }).slice(0, 64)
    expect(hashes.map((one) => (one as { publicKeyHash: string }).publicKeyHash)).toEqual(names.map(() => spki))
  })
  it.each([
    ['store.p12', [], /password is not known.*--password-file/],
    ['store.p12', ['another'], /under another password/],
    ['sealed.key', [], /password is not known.*--password-file/],
    ['sealed.der', ['another'], /under another password/],
    ['traditional.key', ['another'], /under another password/],
  ])('says of %s with %j why it stays closed', async (name, passwords, sentence) => {
    const { contents } = await part(name, ...passwords)
    expect(contents).toEqual([
      { type: 'unreadable', what: expect.any(String) as string, problem: expect.stringMatching(sentence) as string },
    ])
  })
  it.each(['leaf.der', 'csr.der', 'crl.der', 'key.der', 'store.p12', 'one.p7b', 'sealed.der', 'all.pem'])(
    'survives any damage to %s',
    async (name) => {
      const bytes = readFileSync(at(name))
      await fc.assert(
        fc.asyncProperty(
          fc.nat(bytes.length - 1),
          fc.integer({ min: 0, max: 255 }),
          fc.boolean(),
          async (i, b, cut) => {
            const damaged = Buffer.from(bytes)
            damaged[i] = b
            await readPart(name, cut ? damaged.subarray(0, i) : damaged, [])
          },
        ),
        { numRuns: 150 },
      )
    },
  )
})

describe('dbtls inspect', () => {
  const folder = useFolder()
  const secretWords = (): RegExp => new RegExp(`BEGIN|${password}`)

  it('says what is in files, and which key belongs to which certificate', async () => {
    mkdirSync(folder.path('secret'))
    for (const name of ['leaf.crt', 'leaf.key', 'ca.crt', 'store.p12', 'password'])
      writeFileSync(folder.path('secret', name), readFileSync(at(name)))
    const { code, out, err } = await runVerb(main, [folder.path('secret')])
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('leaf.crt: PEM, 1 certificate\n')
    expect(out).toMatch(/Names: +DNS:db\.svc, IP:10\.0\.0\.1\n/)
    expect(out).toMatch(/Valid: .*\(in 19 days\)/)
    expect(out).toMatch(/private key: RSA 2048\n +Belongs to: +certificate in leaf\.crt\n/)
    expect(out).toMatch(/private key "db", encrypted: RSA 2048\n +Belongs to: +certificate in store\.p12\n/)
    expect(out).toContain('password: a password, not shown')
    expect(out).not.toMatch(secretWords())
  })
  it('shows a list and a request', async () => {
    const { out } = await runVerb(main, [at('ca.crl'), at('leaf.csr')])
    expect(out).toContain('revocation list number 42')
    expect(out).toContain('1: 4F0C (keyCompromise)')
    expect(out).toMatch(/certificate request\n +Subject: +CN=db\n/)
  })
  it('tells what is wrong with a request', async () => {
    const signature = Buffer.from(readFileSync(at('csr.der')))
    signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1
    const { code, out } = await runVerb(main, [folder.file('bad.der', signature)])
    expect([code, out]).toEqual([0, expect.stringMatching(/Problem: +.*(signature|possession)/)])
  })
  it('reads a Secret of a state, and opens what is in it with its own password', async () => {
    const items = [
      '{key: tls.crt, content: CertificateChain}',
      '{key: tls.key, content: PrivateKey}',
      '{key: k.p12, content: PKCS12Keystore}',
      '{key: k.jks, content: JKSKeystore}',
      '{key: t.jks, content: JKSTruststore}',
      '{key: e.key, content: EncryptedPrivateKey}',
      '{key: password, content: Password}',
    ]
    const secret = `  secret: {name: orders-tls, items: [${items.join(', ')}]}`
    const yaml = certificateYaml().replace('  secret: {name: orders-tls}', secret)
    await folder.render(authorityYaml() + yaml)
    const { code, out, err } = await runVerb(main, ['data/orders-tls', ...folder.state, '-o', 'json'])
    expect([code, err]).toEqual([0, ''])
    const [{ source, parts }] = (JSON.parse(out) as { items: [{ source: string; parts: Part[] }] }).items
    expect(source).toBe('Secret data/orders-tls')
    expect(Object.fromEntries(parts.map(({ name, form, contents }) => [name, [form, ...contents.map(types)]]))).toEqual(
      {
        'tls.crt': ['PEM', 'certificate'],
        'tls.key': ['PEM', 'privateKey'],
        'k.p12': ['PKCS#12', 'privateKey', 'certificate'],
        'k.jks': ['JKS', 'privateKey', 'certificate'],
        't.jks': ['JKS', 'certificate'],
        'e.key': ['PEM', 'privateKey'],
        password: ['password'],
      },
    )
    const [own] = await folder.inState(async (cluster) => {
      const { data } = await cluster.get(secrets, { namespace: 'data', name: 'orders-tls' })
      return [Buffer.from(data?.['password'] ?? '', 'base64').toString()]
    })
    expect(own).toHaveLength(32)
    expect(out).not.toContain(own)
  })
  it('opens with the password that the certificate refers to', async () => {
    const holder = `apiVersion: v1\nkind: Secret\nmetadata: {name: pw, namespace: data}\nstringData: {password: "${password}"}\n---\n`
    const spec = '  keystore: {passwordSecretRef: {name: pw}}'
    const yaml = certificateYaml('orders', spec).replace(
      '{name: orders-tls}',
      '{name: orders-tls, items: [{key: k.p12, content: PKCS12Keystore}]}',
    )
    await folder.render(holder + authorityYaml() + yaml)
    const { code, out } = await runVerb(main, ['orders-tls', '-n', 'data', ...folder.state])
    expect([code, out]).toEqual([0, expect.stringMatching(/certificate "tls"/)])
  })
  it('lists a large bundle in one line each', async () => {
    const bundle = folder.file('bundle.pem', readFileSync(at('ca.crt'), 'utf8').repeat(7))
    const { out } = await runVerb(main, [bundle])
    expect(out.trimEnd().split('\n')).toHaveLength(8)
    expect(out).toMatch(/^ {2}CA certificate CN=Acme, until .*\(in 29 days\)$/m)
  })
  it('takes no control character over from a certificate', async () => {
    execFileSync('openssl', [
      ...['req', '-x509', '-key', at('ca.key'), '-days', '2', '-utf8', '-out', folder.path('c.crt')],
      ...['-subj', '/CN=a\u001b[31mred'],
    ])
    const { out } = await runVerb(main, [folder.path('c.crt')])
    expect(out).toContain('red')
    expect(out).not.toContain('\u001b')
  })
  it.each<[string[], number, string | RegExp]>([
    [[], 2, 'name a Secret or a file'],
    [['./none.pem'], 1, 'there is no such file'],
    [['-n', 'data', 'none'], 1, 'there is no Secret data/none'],
    [['-n', 'data', 'Not A Name'], 2, 'SECRET is [NAMESPACE/]NAME'],
    [['-o', 'xml', './x'], 2, '--output is table, json or yaml'],
  ])('answers %j with exit code %d', async (args, expected, sentence) => {
    await folder.render(authorityYaml())
    const { code, err } = await runVerb(main, [...args, ...(args.includes('-n') ? folder.state : [])])
    expect([code, err]).toEqual([expected, expect.stringContaining(sentence as string)])
  })
  it('names what could not be opened on stderr, shows the rest, and ends with 1', async () => {
    const { code, out, err } = await runVerb(main, [at('store.p12'), at('leaf.crt')])
    expect(code).toBe(1)
    expect(err).toMatch(/store\.p12: PKCS#12 keystore: its password is not known/)
    expect(out).toContain('CN=db')
    const opened = await runVerb(main, [at('store.p12'), '--password-file', at('password')])
    expect([opened.code, opened.err]).toEqual([0, ''])
    expect(opened.out).not.toMatch(secretWords())
  })
})

interface Part {
  readonly name: string
  readonly form: string
  readonly contents: readonly { readonly type: string }[]
}

const types = ({ type }: { readonly type: string }): string => type
