import { spawn } from 'node:child_process'
import { X509Certificate, webcrypto } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { marks } from '../../control/context.ts'
import { ascii, contextPrimitive, sequence } from '../../pki/encoding/der.ts'
import { generateKeyPair, type KeyPair } from '../../pki/keys/keys.ts'
import { distinguishedName } from '../../pki/names/names.ts'
import { certificatesOf, encodePem } from '../../pki/encoding/pem.ts'
import { parseCertificate } from '../../pki/certificates/parse.ts'
import { extension, makeRequest } from '../../pki/requests/request.fixture.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { secrets } from '../../resources/core.ts'
import { databaseCertificates } from '../../resources/database-certificate.ts'
import { issuedCertificates } from '../../resources/issued-certificate.ts'
import { main as list } from '../ledger/list.ts'
import { main as revoke } from '../objects/revoke.ts'
import type { Io } from '../shared/io.ts'
import { authorityYaml, certificateYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'
import { main } from './sign.ts'

let key: KeyPair
const newKey = () => generateKeyPair(webcrypto, { algorithm: 'ECDSA', size: 256 })
beforeAll(async () => {
  key = await newKey()
})

const san = (...names: string[]): Uint8Array =>
  extension('2.5.29.17', sequence(...names.map((name) => contextPrimitive(2, ascii(name)))))
const derOf = (commonName = 'payments', of = key): Uint8Array =>
  makeRequest(of, {
    subject: distinguishedName({ commonName, organizations: ['Acme'] }),
    extensions: [san('payments.data.svc')],
  })
const pemOf = (commonName?: string, of?: KeyPair): string => encodePem('CERTIFICATE REQUEST', derOf(commonName, of))

describe('dbtls sign', () => {
  const folder = useFolder()
  const sign = (...args: string[]) =>
    runVerb(main, ['-f', folder.path('r.csr'), '--authority', 'data/ca', ...folder.state, ...args])
  const prepared = async (spec = '', request: string | Uint8Array = pemOf()): Promise<void> => {
    folder.file('r.csr', request)
    await folder.render(authorityYaml('ca', spec))
  }
  /** Entries that stand for no object, as those of this verb. */
  const entries = () =>
    folder.inState(async (cluster) => {
      const { items } = await cluster.list(issuedCertificates, { namespace: 'data' })
      return items.filter(({ spec }) => spec.certificateRef === undefined)
    })
  const certificatesIn = (pem: string) => certificatesOf(pem).map((der) => parseCertificate(der))

  it('prints the certificate alone on stdout, and has it in the ledger with the request', async () => {
    await prepared()
    const { code, out, err } = await sign()
    const [leaf, ...others] = certificatesIn(out)
    expect([code, others]).toEqual([0, []])
    expect(out).toMatch(/^-----BEGIN CERTIFICATE-----\n[^-]*-----END CERTIFICATE-----\n$/)
    expect(err).toMatch(
      new RegExp(`^signed     ${leaf?.serialNumber} "CN=payments,O=Acme", valid until .* \\(in 89 days\\)\\n$`),
    )
    expect(Buffer.from(leaf?.spki ?? []).equals(key.spki)).toBe(true)
    expect(leaf).toMatchObject({ subjectAlternativeNames: [{ type: 'DNS', value: 'payments.data.svc' }], isCa: false })
    const [entry] = await entries()
    expect(entry?.spec).toMatchObject({ serialNumber: leaf?.serialNumber, authorityRef: { name: 'ca' } })
    expect([entry?.spec.certificate.trim(), entry?.spec.request]).toEqual([
      out.trim(),
      readFileSync(folder.path('r.csr'), 'utf8'),
    ])
    const root = await folder.inState((cluster) => cluster.get(secrets, { namespace: 'data', name: 'ca-ca' }))
    const above = new X509Certificate(Buffer.from(root.data?.['ca.crt'] ?? '', 'base64'))
    expect(new X509Certificate(out).verify(above.publicKey)).toBe(true)
  })

  it('is listed, revoked, and on the revocation list, as every certificate of the CA', async () => {
    await prepared('crl: {enabled: true}')
    const serial = certificatesIn((await sign()).out)[0]?.serialNumber ?? ''
    const ofCa = ['--authority', 'data/ca', ...folder.state]
    expect((await runVerb(list, ofCa)).out).toContain(serial)
    expect((await runVerb(revoke, [serial, ...ofCa, '--reason', 'keyCompromise'])).code).toBe(0)
    await folder.render(authorityYaml('ca', 'crl: {enabled: true}'))
    const crl = readFileSync(folder.path('out', 'data', 'configmap', 'ca-crl', 'ca.crl'), 'latin1')
    expect(Buffer.from(crl.replaceAll(/-----.*-----|\n/g, ''), 'base64').includes(Buffer.from(serial, 'hex'))).toBe(
      true,
    )
    const again = await sign()
    expect([again.code, again.out]).toEqual([1, ''])
    expect(again.err).toMatch(/^refused {4}KeyInUse: A certificate for the key of .*r\.csr was revoked because/)
  })

  it('takes DER, and a request from stdin with text around it', async () => {
    await prepared('', derOf())
    expect((await sign()).code).toBe(0)
    const stdin = new PassThrough()
    stdin.end(`Certificate Request:\n    Data:\n${pemOf()}`)
    const args = ['-f', '-', '--authority', 'data/ca', ...folder.state]
    const { code, out } = await runVerb(main, args, { stdin: stdin as unknown as NonNullable<Io['stdin']> })
    expect([code, certificatesIn(out)]).toHaveLength(2)
    expect(await entries()).toHaveLength(2)
  })

  it('gives the role, the usages and the time that are asked for', async () => {
    await prepared()
    const client = certificatesIn((await sign('--role', 'client', '--duration', '10d')).out)[0]
    expect(client?.extendedKeyUsage).toEqual(['clientAuth'])
    expect(Math.round(((client?.notAfter ?? 0) - (client?.notBefore ?? 0)) / 86_400_000)).toBe(10)
    const listed = certificatesIn((await sign('--usages', 'digitalSignature, clientAuth,serverAuth')).out)[0]
    expect(listed?.extendedKeyUsage.toSorted()).toEqual(['clientAuth', 'serverAuth'])
  })

  it('adds the CAs above it, without the root', async () => {
    folder.file('r.csr', pemOf())
    const below = authorityYaml('mid').replace('selfSigned: {}', 'intermediate: {authorityRef: {name: ca}}')
    await folder.render(authorityYaml('ca', 'maxPathLength: 1') + below)
    const { out } = await sign('--authority', 'data/mid', '--chain')
    const [leaf, mid, ...more] = certificatesIn(out)
    expect(more).toEqual([])
    expect(Buffer.from(leaf?.issuer ?? []).equals(mid?.subject ?? new Uint8Array())).toBe(true)
    expect(mid?.isCa).toBe(true)
  })

  it('writes a file for all to read, and none over another', async () => {
    await prepared()
    const out = folder.path('payments.crt')
    const mask = process.umask(0o077)
    try {
      const { code, out: told } = await sign('--out', out)
      expect([code, told]).toEqual([
        0,
        expect.stringMatching(/^signed {5}[0-9A-F]{32} "CN=payments,O=Acme" to .*payments.crt, /),
      ])
    } finally {
      process.umask(mask)
    }
    expect(statSync(out).mode & 0o777).toBe(0o644)
    const first = readFileSync(out, 'utf8')
    const { code, err } = await sign('--out', out)
    expect([code, err]).toEqual([
      1,
      `dbtls sign: ${out} is there already: name another file with --out, or say --force\n`,
    ])
    expect(await entries()).toHaveLength(1)
    expect((await sign('--out', out, '--force')).code).toBe(0)
    expect(readFileSync(out, 'utf8')).not.toBe(first)
    expect(readdirSync(folder.path()).filter((name) => name.includes('.new'))).toEqual([])
  })

  it('takes away what a run that was killed left for the same file, and nothing else', async () => {
    await prepared()
    const left = [
      `x.crt.${'0a'.repeat(6)}.new`,
      `x.crt.${'0b'.repeat(6)}.new`,
      'x.crt.mine.new',
      `y.crt.${'0a'.repeat(6)}.new`,
    ]
    for (const name of left) writeFileSync(folder.path(name), '')
    for (const name of left.toSpliced(1, 1)) utimesSync(folder.path(name), 0, 0)
    expect((await sign('--out', folder.path('x.crt'))).code).toBe(0)
    expect(
      readdirSync(folder.path())
        .filter((name) => name.endsWith('.new'))
        .toSorted(),
    ).toEqual(left.slice(1))
  })

  it('signs nothing that could not be written', async () => {
    await prepared()
    mkdirSync(folder.path('closed'))
    chmodSync(folder.path('closed'), 0o500)
    const { code, err } = await folder.unprivileged(() => sign('--out', folder.path('closed', 'x.crt')))
    expect([code, err]).toEqual([1, expect.stringContaining('permission denied')])
    expect(await entries()).toEqual([])
  })

  it('signs nothing for a folder that is not there', async () => {
    await prepared()
    const { code, err } = await sign('--out', folder.path('nowhere', 'x.crt'))
    expect([code, err]).toEqual([1, expect.stringContaining('there is no such file or folder')])
    expect(await entries()).toEqual([])
  })

  it('says field by field what it would sign, and signs nothing', async () => {
    await prepared('crl: {enabled: true}, publish: {url: "http://pki.test"}')
    const { code, out, err } = await sign('--dry-run', '--out', folder.path('x.crt'))
    expect([code, err]).toEqual([0, ''])
    expect(out.split('\n')).toEqual([
      'would be signed by CertificateAuthority data/ca:',
      '  Subject:         CN=payments,O=Acme',
      '  Issuer:          CN=Test ca',
      '  Names:           DNS:payments.data.svc',
      expect.stringMatching(/^ {2}Valid: .*\(in 89 days\)$/),
      '  Public key:      ECDSA P-256',
      '  Usage:           digitalSignature, serverAuth',
      expect.stringMatching(/^ {2}Revocation list: http:\/\/pki\.test\/ca\/data\/ca\/[0-9a-f]{40}\.crl$/),
      expect.stringMatching(/^ {2}CA certificate: {2}http:\/\/pki\.test\/ca\/data\/ca\/[0-9a-f]{40}\.cer$/),
      '',
    ])
    expect(await entries()).toEqual([])
    expect(existsSync(folder.path('x.crt'))).toBe(false)
    const { state, certificate } = JSON.parse((await sign('--dry-run', '-o', 'json')).out) as Record<string, object>
    expect([state, certificate]).toEqual([
      'signable',
      expect.objectContaining({ subject: 'CN=payments,O=Acme', ca: false }),
    ])
    expect(certificate).not.toHaveProperty('serialNumber')
  })

  it('says the same for programs', async () => {
    await prepared()
    const { code, out, err } = await sign('-o', 'json')
    const answer = JSON.parse(out) as { pem: string }
    expect([code, err]).toEqual([0, ''])
    expect(answer).toMatchObject({
      state: 'signed',
      authority: { namespace: 'data', name: 'ca' },
      certificate: { serialNumber: certificatesIn(answer.pem)[0]?.serialNumber, subject: 'CN=payments,O=Acme' },
      chain: [],
    })
    const refused = await sign('-o', 'json', '--duration', '20000d')
    expect(refused.code).toBe(0)
    await folder.render(authorityYaml('ca', 'policy: {maxDuration: 1h}'))
    const { code: second, out: reasons } = await sign('-o', 'json', '--duration', '2h')
    expect([second, JSON.parse(reasons)]).toEqual([
      1,
      expect.objectContaining({ state: 'refused', reasons: [expect.objectContaining({ reason: 'PolicyViolation' })] }),
    ])
  })

  it.each([
    {
      name: 'a policy',
      spec: 'policy: {allowedDNSNames: ["*.other.svc"]}',
      reason: 'PolicyViolation',
      says: 'allowedDNSNames',
    },
    {
      name: 'name constraints',
      spec: 'nameConstraints: {permitted: {dnsDomains: [other.svc]}}',
      reason: 'NameConstraintViolation',
      says: 'payments.data.svc',
    },
    {
      name: 'a time that was asked for and is too long',
      spec: 'policy: {maxDuration: 1h}',
      args: ['--duration', '2h'],
      reason: 'PolicyViolation',
      says: 'maxDuration',
    },
    { name: 'another namespace', args: ['-n', 'apps'], reason: 'AuthorityNotAllowed', says: 'its own namespace only' },
    {
      name: 'a CA that is not there',
      args: ['--authority', 'data/none'],
      reason: 'AuthorityNotFound',
      says: 'data/none of --authority does not exist',
    },
    {
      name: 'a usage that the key cannot serve',
      args: ['--usages', 'keyEncipherment,serverAuth'],
      reason: 'RequestInvalid',
      says: 'r.csr',
    },
  ])('refuses for $name, with exit code 1, and records nothing', async ({ spec, args = [], reason, says }) => {
    await prepared(spec)
    const { code, out, err } = await sign(...args)
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(new RegExp(`^refused    ${reason}: `))
    expect(err).toContain(says)
    expect(await entries()).toEqual([])
  })

  it('signs for a namespace that the CA allows', async () => {
    await prepared('allowedNamespaces: {from: Names, names: [apps]}')
    expect((await sign('-n', 'apps')).code).toBe(0)
    expect((await sign('-n', 'others')).err).toContain('does not allow namespace "others"')
  })

  it('leaves the time to the policy where nobody asks for one', async () => {
    await prepared('policy: {maxDuration: 1h}')
    const [leaf] = certificatesIn((await sign()).out)
    expect((leaf?.notAfter ?? 0) - (leaf?.notBefore ?? 0)).toBeLessThanOrEqual(3_600_000)
  })

  it('does not sign for the key of a DatabaseCertificate', async () => {
    await prepared()
    const indented = pemOf().trim().replaceAll('\n', '\n      ')
    const manifest = certificateYaml('orders', `  request:\n    inline: |\n      ${indented}`).replace(
      / {2}dnsNames.*\n/,
      '',
    )
    await folder.render(authorityYaml() + manifest)
    const { code, err } = await sign()
    expect([code, err]).toEqual([1, expect.stringContaining('refused    KeyInUse: ')])
  })

  it('gives a common name to one certificate alone where the CA says so', async () => {
    const unique = 'policy: {uniqueCommonName: true}'
    folder.file('r.csr', pemOf())
    await folder.render(authorityYaml('ca', unique) + certificateYaml('orders', '  subject: {commonName: payments}'))
    expect((await sign()).err).toContain('refused    CommonNameTaken: ')
    folder.file('r.csr', pemOf('billing'))
    const first = certificatesIn((await sign()).out)[0]?.serialNumber
    const { code, err } = await sign()
    expect([code, err]).toEqual([0, expect.stringContaining(`replaces   ${first}\n`)])
    expect((await entries()).map(({ spec }) => spec.supersedes?.serialNumber)).toContain(first)
  })

  it('takes no name from a DatabaseCertificate that has not got its certificate yet', async () => {
    folder.file('r.csr', pemOf())
    const orders = certificateYaml('orders', '  subject: {commonName: payments}')
    await folder.render(authorityYaml('ca', 'policy: {uniqueCommonName: true}') + orders)
    // As after a Secret was refused: the entry is in the ledger, and nothing reports it.
    await folder.inState(async (cluster) => {
      const found = await cluster.get(databaseCertificates, { namespace: 'data', name: 'orders' })
      const { serialNumber: _, ...status } = found.status ?? {}
      await cluster.updateStatus(databaseCertificates, { ...found, status }, { fieldManager: 'test' })
    })
    const { code, err } = await sign()
    expect([code, err]).toEqual([1, expect.stringContaining('refused    CommonNameTaken: ')])
    expect(err).toContain('DatabaseCertificate data/orders')
    expect(await entries()).toEqual([])
  })

  it('signs nothing with a CA that is held since the last render', async () => {
    await prepared()
    const held = {
      apiVersion: 'dbtls.dev/v1alpha1',
      kind: 'CertificateAuthority',
      metadata: { namespace: 'data', name: 'ca', annotations: { [marks.hold]: 'being restored' } },
    } as unknown as CertificateAuthority
    await folder.inState((cluster) =>
      cluster.apply(certificateAuthorities, held, { fieldManager: 'kubectl', force: true }),
    )
    const { code, err } = await sign()
    expect([code, err]).toEqual([1, expect.stringContaining('refused    Held: ')])
    expect(await entries()).toEqual([])
  })

  it('signs nothing with a CA whose certificate was revoked since the last render', async () => {
    await prepared()
    const serial = await folder.inState(
      async (cluster) =>
        (await cluster.get(certificateAuthorities, { namespace: 'data', name: 'ca' })).status?.certificate
          ?.serialNumber ?? '',
    )
    await runVerb(revoke, [serial, '--authority', 'data/ca', ...folder.state])
    expect((await sign()).err).toContain('refused    Revoked: ')
  })

  it('signs nothing with a CA whose key is gone', async () => {
    await prepared()
    await folder.inState((cluster) => cluster.delete(secrets, { namespace: 'data', name: 'ca-ca' }))
    const { code, err } = await sign()
    expect([code, err]).toEqual([1, expect.stringContaining('AuthoritySecretMissing')])
  })

  it.each([
    [['--role', 'King'], 2, '--role: Unsupported value: "King"'],
    [['--role', 'Server', '--usages', 'serverAuth'], 2, 'set role or usages, not both'],
    [['--usages', 'keyCertSign'], 2, '--usages'],
    [['--duration', '1s'], 2, '--duration'],
    [['--duration', 'long'], 2, '--duration'],
    [['--authority', 'a/b/c'], 2, '--authority is [NAMESPACE/]NAME'],
    [['--timeout', '0'], 2, '--timeout is a whole number'],
    [['more.csr'], 2, 'name the request with -f'],
    [['-f', '/nonexistent.csr'], 1, '/nonexistent.csr: there is no such file'],
    [['-f', '/'], 1, 'is not a file'],
    [['--state', '/nonexistent'], 1, 'there is no state in /nonexistent'],
  ])('refuses %j', async (args, expected, sentence) => {
    await prepared()
    const { code, err } = await sign(...args)
    expect([code, err]).toEqual([expected, expect.stringContaining(sentence)])
    expect(await entries()).toEqual([])
  })

  it('names the file that holds no request', async () => {
    await prepared('', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    const { code, err } = await sign()
    expect([code, err]).toEqual([1, expect.stringMatching(/^dbtls sign: .*r\.csr: /)])
  })

  it('waits for another dbtls to let go of the state: several at once all sign, and the ledger knows each', async () => {
    await prepared()
    const program = fileURLToPath(new URL('../../main.ts', import.meta.url))
    const names = ['a', 'b', 'c']
    await Promise.all(
      names.map(async (name) => {
        const args = [
          '-f',
          folder.file(`${name}.csr`, pemOf(name, await newKey())),
          '--authority',
          'data/ca',
          '--timeout',
          '120',
        ]
        const child = spawn(process.execPath, [
          program,
          'sign',
          ...args,
          ...folder.state,
          '--out',
          folder.path(`${name}.crt`),
        ])
        const code = await new Promise((resolve) => child.on('close', resolve))
        expect(code).toBe(0)
      }),
    )
    const delivered = names.map(
      (name) => certificatesIn(readFileSync(folder.path(`${name}.crt`), 'utf8'))[0]?.serialNumber,
    )
    expect(new Set((await entries()).map(({ spec }) => spec.serialNumber))).toEqual(new Set(delivered))
    expect(new Set(delivered).size).toBe(names.length)
  }, 180_000)

  it('says who has the state when it is not let go of', async () => {
    await prepared()
    await folder.inState(async () => {
      const { code, err } = await sign('--timeout', '1')
      expect([code, err]).toEqual([
        1,
        expect.stringMatching(
          /^waiting {4}the state folder .* in use by another dbtls \(process \d+\)\ndbtls sign: .*stop it/,
        ),
      ])
    })
  })
})
