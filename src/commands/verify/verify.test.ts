import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databaseCertificates } from '../../resources/database-certificate.ts'
import { secrets } from '../../resources/core.ts'
import { authorityYaml, certificateYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'
import { main } from './verify.ts'

let made = ''
const at = (name: string): string => join(made, name)

/** By openssl, so that both sides of the check are not of one hand. */
beforeAll(() => {
  made = mkdtempSync(join(tmpdir(), 'dbtls-verify-'))
  writeFileSync(at('password'), 'correct horse\n')
  writeFileSync(at('index.txt'), '')
  writeFileSync(at('other.txt'), '')
  const section = (name: string, database: string, days: string): string =>
    `[${name}]\ndatabase=${database}\ncrlnumber=crlnumber\ndefault_md=sha256\n${days}\n`
  writeFileSync(
    at('ca.cnf'),
    section('a', 'index.txt', 'default_crl_days=30') + section('old', 'other.txt', 'default_crl_days=1'),
  )
  writeFileSync(at('crlnumber'), '01\n')
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
  const ca = 'keyUsage=critical,keyCertSign,cRLSign'
  const script = `
    openssl req -x509 ${key} -keyout root.key -out root.crt -days 60 -subj /CN=root -addext ${ca}
    openssl req -x509 ${key} -keyout other.key -out other.crt -days 60 -subj /CN=other -addext ${ca}
    openssl req -x509 ${key} -keyout sub.key -out sub.crt -days 50 -subj /CN=sub -CA root.crt -CAkey root.key -addext ${ca} -addext basicConstraints=critical,CA:TRUE
    openssl req -x509 ${key} -keyout leaf.key -out leaf.crt -days 20 -subj /CN=db -CA sub.crt -CAkey sub.key -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:db.svc,DNS:*.db.svc,IP:10.0.0.1
    openssl req -x509 -key leaf.key -out long.crt -days 200 -subj /CN=db -CA sub.crt -CAkey sub.key -addext basicConstraints=critical,CA:FALSE
    openssl ca -config ca.cnf -name old -gencrl -crl_lastupdate 20250101000000Z -crl_nextupdate 20250201000000Z -keyfile sub.key -cert sub.crt -out old.crl
    openssl ca -config ca.cnf -name a -gencrl -keyfile sub.key -cert sub.crt -out empty.crl
    openssl ca -config ca.cnf -name a -revoke leaf.crt -keyfile sub.key -cert sub.crt -crl_reason superseded
    openssl ca -config ca.cnf -name a -gencrl -keyfile sub.key -cert sub.crt -out full.crl
    openssl pkcs12 -export -inkey leaf.key -in leaf.crt -certfile sub.crt -passout file:password -out store.p12
    openssl pkcs12 -export -inkey other.key -in other.crt -passout file:password -out wrong.p12
  `
  execFileSync('sh', ['-ec', script], { cwd: made, stdio: 'pipe' })
}, 60_000)
afterAll(() => rmSync(made, { recursive: true }))

const usual = { 'tls.crt': 'leaf.crt', 'tls.key': 'leaf.key', 'chain.crt': 'sub.crt', 'ca.crt': 'root.crt' }

describe('dbtls verify of a folder', () => {
  const folder = useFolder()
  const put = (files: Readonly<Record<string, string>>): string => {
    mkdirSync(folder.path('tls'))
    for (const [name, from] of Object.entries(files)) copyFileSync(at(from), folder.path('tls', name))
    return folder.path('tls')
  }
  const verify = (files: Readonly<Record<string, string>>, ...args: string[]) => runVerb(main, [put(files), ...args])

  it('accepts what openssl made, whatever the files are called', async () => {
    const files = { a: 'leaf.crt', b: 'leaf.key', c: 'sub.crt', d: 'root.crt', e: 'store.p12', password: 'password' }
    const { code, out, err } = await verify({ ...files, f: 'empty.crl' }, '--name', 'db.svc', '--name', '10.0.0.1')
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/: verified: chain, key, keystores, names, revocation\n$/)
  })
  it('trusts a CA from elsewhere when it is told to', async () => {
    const { 'ca.crt': _, ...files } = usual
    expect((await verify(files)).err).toMatch(/No certificate of the issuer|holds no CA/)
    const again = await runVerb(main, [folder.path('tls'), '--ca', at('root.crt')])
    expect([again.code, again.err]).toEqual([0, ''])
  })
  it('accepts the Secret of a CA', async () => {
    const { code, err } = await verify({ 'tls.crt': 'root.crt', 'tls.key': 'root.key' })
    expect([code, err]).toEqual([0, ''])
  })
  it('prints a stable shape for programs', async () => {
    const { code, out } = await verify({ ...usual, 'tls.key': 'other.key' }, '-o', 'json')
    expect([code, JSON.parse(out)]).toEqual([
      1,
      {
        ...{ source: folder.path('tls'), ok: false, verified: [] },
        problems: expect.arrayContaining(['no private key that belongs to the certificate is in it']) as string[],
      },
    ])
  })
  it.each<[string, Record<string, string>, string[], RegExp]>([
    ['a chain to another CA', { 'ca.crt': 'other.crt' }, [], /No chain|No certificate of the issuer/],
    ['an intermediate that is missing', { 'chain.crt': 'root.crt' }, [], /No certificate of the issuer "CN=sub"/],
    ['the key of another certificate', { 'tls.key': 'other.key' }, [], /no private key that belongs/],
    [
      'a key too many',
      { 'second.key': 'other.key' },
      [],
      /second\.key: the private key belongs to no certificate here/,
    ],
    ['a certificate that outlives its CA', { 'tls.crt': 'long.crt' }, [], /outlives its issuer/],
    [
      'a keystore with another key',
      { 'k.p12': 'wrong.p12', password: 'password' },
      [],
      /k\.p12 holds another certificate/,
    ],
    [
      'a keystore that stays closed',
      { 'k.p12': 'store.p12' },
      [],
      /k\.p12: PKCS#12 keystore: its password is not known/,
    ],
    ['a name it is not for', {}, ['--name', 'a.b.db.svc'], /the certificate is not for a\.b\.db\.svc/],
    ['a name that is only its common name', {}, ['--name', 'db'], /the certificate is not for db/],
    ['an address it is not for', {}, ['--name', '10.0.0.2'], /the certificate is not for 10\.0\.0\.2/],
    ['a revoked certificate', { 'ca.crl': 'full.crl' }, [], /was revoked at .* \(superseded\)/],
    ['an old list', { 'ca.crl': 'old.crl' }, [], /ca\.crl: the revocation list was to be replaced by/],
  ])('finds fault with %s', async (_, changes, args, sentence) => {
    const { code, out, err } = await verify({ ...usual, ...changes }, ...args)
    expect([code, out, err]).toEqual([1, '', expect.stringMatching(sentence)])
  })
  it('finds fault with a list that its CA did not sign', async () => {
    put(usual)
    const der = Buffer.from(readFileSync(at('empty.crl'), 'utf8').replace(/-----[^-]+-----|\s/g, ''), 'base64')
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
    folder.file('tls/ca.crl', der)
    const { code, err } = await runVerb(main, [folder.path('tls')])
    expect([code, err]).toEqual([1, expect.stringContaining('is not signed by the CA of the certificate')])
  })
  it.each<[string[], number, string]>([
    [[], 2, 'name one Secret or folder'],
    [['./a', './b'], 2, 'name one Secret or folder'],
    [['./a', '--engine', 'PostgreSQL'], 2, '--engine and --endpoint belong together'],
    [['./a', '--endpoint', 'h:5432'], 2, '--engine and --endpoint belong together'],
    [['./a', '--engine', 'Oracle', '--endpoint', 'h:1'], 2, 'it is one of MySQL, MariaDB'],
    [['./a', '--engine', 'mysql', '--endpoint', 'h'], 2, '--endpoint is HOST:PORT'],
    [['./missing'], 1, 'there is no such file or folder'],
    [['./missing', '--ca', './no'], 1, './no of --ca: there is no such file'],
  ])('answers %j with exit code %d', async (args, expected, sentence) => {
    const { code, err } = await runVerb(main, args)
    expect([code, err]).toEqual([expected, expect.stringContaining(sentence)])
  })
  it('says so where there is no certificate', async () => {
    expect((await verify({ password: 'password' })).err).toContain('there is no certificate in it')
  })
})

describe('dbtls verify of a Secret', () => {
  const folder = useFolder()
  const verify = (...args: string[]) => runVerb(main, ['data/orders-tls', ...folder.state, ...args])

  it('accepts what dbtls made', async () => {
    await folder.render(authorityYaml() + certificateYaml())
    const { code, out, err } = await verify('--name', 'orders.data.svc')
    expect([code, err, out]).toEqual([0, '', 'Secret data/orders-tls: verified: chain, key, names\n'])
  })
  it('holds it to the spec', async () => {
    await folder.render(authorityYaml() + certificateYaml())
    await folder.inState(async (cluster) => {
      const key = { namespace: 'data', name: 'orders' }
      const certificate = await cluster.get(databaseCertificates, key)
      const spec = { ...certificate.spec, dnsNames: ['orders.data.svc', 'Later.data.svc'] }
      await cluster.update(databaseCertificates, { ...certificate, spec }, { fieldManager: 'test' })
      const secret = await cluster.get(secrets, { namespace: 'data', name: 'orders-tls' })
      const { 'ca.crt': _, ...data } = secret.data ?? {}
      await cluster.update(secrets, { ...secret, data }, { fieldManager: 'test' })
    })
    const { code, err } = await verify()
    expect(code).toBe(1)
    expect(err).toContain('Secret data/orders-tls: ca.crt is missing\n')
    expect(err).toContain('the certificate lacks the name DNS:later.data.svc of the spec')
  })
})
