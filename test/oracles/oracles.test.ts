import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { must } from '../controlplane/harness/process.ts'
import { verifyWithGo, verifyWithJava, verifyWithOpenssl, verifyWithPython } from './oracles.ts'
import type { OracleOptions, Verdict } from './oracles.ts'

const password = 'correct horse battery'
const root = mkdtempSync(join(tmpdir(), 'dbtls-oracles-'))
const good = join(root, 'good')
const broken = (name: string): string => {
  const dir = join(root, name)
  cpSync(good, dir, { recursive: true })
  return dir
}

/** A CA, a leaf and a keystore made by openssl alone, so that nothing here depends on the program under test. */
const makeMaterial = async (dir: string, key: readonly string[]): Promise<void> => {
  const openssl = (...args: string[]) => must('openssl', args, { cwd: dir })
  const newKey = ['-newkey', ...key, '-nodes']
  await must('mkdir', ['-p', dir])
  const usage = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']
  await openssl(
    'req',
    '-x509',
    ...newKey,
    '-days',
    '30',
    '-subj',
    '/CN=CA',
    ...usage,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
  )
  await openssl('req', '-new', ...newKey, '-subj', '/CN=db', '-keyout', 'tls.key', '-out', 'tls.csr')
  const extensions = [
    'basicConstraints=critical,CA:false',
    'subjectAltName=DNS:db.example',
    'extendedKeyUsage=serverAuth',
    'keyUsage=critical,digitalSignature',
    'authorityKeyIdentifier=keyid',
    'subjectKeyIdentifier=hash',
  ]
  writeFileSync(join(dir, 'leaf.ext'), `${extensions.join('\n')}\n`)
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '20', '-extfile', 'leaf.ext']
  await openssl('x509', '-req', '-in', 'tls.csr', ...signed, '-out', 'tls.crt')
  const pkcs12 = ['pkcs12', '-export', '-name', 'db', '-passout', `pass:${password}`]
  await openssl(...pkcs12, '-inkey', 'tls.key', '-in', 'tls.crt', '-certfile', 'ca.crt', '-out', 'keystore.p12')
}

const p256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
beforeAll(() => makeMaterial(good, p256), 60_000)
afterAll(() => rmSync(root, { recursive: true, force: true }))

const oracles: readonly (readonly [string, (dir: string, options?: OracleOptions) => Promise<Verdict>])[] = [
  ['openssl', verifyWithOpenssl],
  ['go', verifyWithGo],
  ['python', verifyWithPython],
  ['java', verifyWithJava],
]

describe.each(oracles)('the %s oracle', (name, verify) => {
  it('accepts what fits', async (context) => {
    const verdict = await verify(good, { password, dnsName: 'db.example' })
    if (verdict.skipped !== undefined) return context.skip(verdict.skipped)
    expect(verdict.problems).toEqual([])
  })

  it('accepts Ed25519', async (context) => {
    const dir = join(root, `ed25519-${name}`)
    await makeMaterial(dir, ['ed25519'])
    const verdict = await verify(dir, { password, dnsName: 'db.example' })
    if (verdict.skipped !== undefined) return context.skip(verdict.skipped)
    expect(verdict.problems).toEqual([])
  })
})

// Go's standard library has no PKCS#12.
describe.each(oracles.filter(([name]) => name !== 'go'))('the %s oracle, on PKCS#12', (_name, verify) => {
  it('refuses a keystore under another password', async (context) => {
    const verdict = await verify(good, { password: 'another one', dnsName: 'db.example' })
    if (verdict.skipped !== undefined) return context.skip(verdict.skipped)
    expect(verdict.problems).toHaveLength(1)
  })
})

describe.each(oracles.filter(([name]) => name !== 'java'))('the %s oracle, on PEM', (_name, verify) => {
  const problemsOf = async (dir: string, dnsName: string): Promise<readonly string[] | undefined> => {
    const verdict = await verify(dir, { password, dnsName })
    return verdict.skipped === undefined ? verdict.problems : undefined
  }

  it('refuses a key of somebody else', async (context) => {
    const dir = broken('key')
    await must('openssl', [
      'genpkey',
      '-algorithm',
      'EC',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-out',
      join(dir, 'tls.key'),
    ])
    const problems = await problemsOf(dir, 'db.example')
    if (problems === undefined) return context.skip()
    expect(problems).toHaveLength(1)
  })

  it('refuses a chain that ends at another CA', async (context) => {
    const dir = broken('ca')
    const request = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=CA',
    ]
    await must('openssl', [...request, '-keyout', join(dir, 'other.key'), '-out', join(dir, 'ca.crt')])
    const problems = await problemsOf(dir, 'db.example')
    if (problems === undefined) return context.skip()
    expect(problems).toHaveLength(1)
  })

  it('refuses a name that is not in the certificate', async (context) => {
    const problems = await problemsOf(good, 'elsewhere.example')
    if (problems === undefined) return context.skip()
    expect(problems).toHaveLength(1)
  })
})
