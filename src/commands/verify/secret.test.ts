import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databaseCertificateSpec } from '../../resources/database-certificate.ts'
import { systemClock } from '../../runtime/clock.ts'
import { verifySecret } from './secret.ts'

const spec = databaseCertificateSpec.parse({
  authorityRef: { name: 'ca' },
  dnsNames: ['a.svc'],
  secret: { name: 's' },
})
const day = 24 * 3600 * 1000
let folder = ''
const file = (name: string): Buffer => readFileSync(join(folder, name))

/** Made by OpenSSL, so that both sides of the check are not of one hand. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-verify-'))
  const openssl = (command: string): void =>
    void execFileSync('openssl', command.split(' '), { cwd: folder, stdio: 'pipe' })
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
  for (const name of ['ca', 'other'])
    openssl(
      `req -x509 ${key} -keyout ${name}.key -out ${name}.crt -days 30 -subj /CN=${name} -addext keyUsage=critical,keyCertSign`,
    )
  openssl(
    `req -x509 ${key} -keyout leaf.key -out leaf.crt -days 20 -subj /CN=a.svc -CA ca.crt -CAkey ca.key -addext basicConstraints=critical,CA:FALSE`,
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

const data = (certificate: string, key: string, trust: string) =>
  new Map([
    ['tls.crt', file(certificate)],
    ['tls.key', file(key)],
    ['ca.crt', file(trust)],
  ])

describe('verifySecret', () => {
  it('accepts what OpenSSL made', async () => {
    const found = await verifySecret(spec, data('leaf.crt', 'leaf.key', 'ca.crt'), undefined, systemClock().now())
    expect(found).toEqual({ verified: ['chain', 'key'], problems: [] })
  })
  it.each<[string, [string, string, string], number]>([
    ['a chain to another CA', ['leaf.crt', 'leaf.key', 'other.crt'], 0],
    ['a certificate that has ended', ['leaf.crt', 'leaf.key', 'ca.crt'], 25 * day],
    ['the key of another certificate', ['leaf.crt', 'ca.key', 'ca.crt'], 0],
    ['text in the place of a certificate', ['leaf.key', 'leaf.key', 'ca.crt'], 0],
  ])('finds fault with %s', async (_, files, later) => {
    const { verified, problems } = await verifySecret(spec, data(...files), undefined, systemClock().now() + later)
    expect(verified).toEqual([])
    expect(problems).not.toEqual([])
  })
  it('names what is missing', async () => {
    const some = data('leaf.crt', 'leaf.key', 'ca.crt')
    some.delete('tls.key')
    const { problems } = await verifySecret(spec, some, undefined, systemClock().now())
    expect(problems).toContain('tls.key is missing')
  })
  it('does not miss a certificate where only trust is asked for, and finds fault with an empty bundle', async () => {
    const trustOnly = databaseCertificateSpec.parse({
      ...spec,
      secret: { name: 's', items: [{ key: 'ca.crt', content: 'TrustBundle' }] },
    })
    const verify = (text: string | Buffer) =>
      verifySecret(trustOnly, new Map([['ca.crt', Buffer.from(text)]]), undefined, systemClock().now())
    expect(await verify(file('ca.crt'))).toEqual({ verified: [], problems: [] })
    expect((await verify('')).problems).toEqual(['ca.crt trusts nobody'])
  })
})
