import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { configMaps, secrets } from '../../resources/core.ts'
import { listNumberOf } from '../../resources/crl-number.ts'
import { issuedCertificates, type IssuedCertificate } from '../../resources/issued-certificate.ts'
import { admit } from '../../resources/validate.ts'
import { main as ledger } from './ledger.ts'
import { copyOf, opensslFolder, type OpensslFolder } from './openssl-folder.fixture.ts'
import { certificateYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'

const folder = useFolder()
const verb = (...args: string[]) => runVerb(ledger, [...args, ...folder.state])
const imported = (path: string, ...args: string[]) =>
  verb('import', path, '--authority', 'data/corp', '--passphrase-file', join(path, 'pass'), ...args)
const exported = (path: string, ...args: string[]) =>
  verb('export', '--openssl', path, '--authority', 'data/corp', ...args)

const patterns = mkdtempSync(join(tmpdir(), 'dbtls-howto-'))
afterAll(() => rmSync(patterns, { recursive: true }))

/** Three signed, one revoked, one list made. */
const pattern = (algorithm: 'RSA' | 'ECDSA'): OpensslFolder => {
  const made = opensslFolder(join(patterns, algorithm), algorithm)
  made.sign('a')
  made.sign('b')
  made.sign('c', '-startdate', '20200101000000Z', '-enddate', '20200202000000Z')
  made.ca('-revoke', 'newcerts/02.pem', '-crl_compromise', '20260101120000Z')
  made.ca('-updatedb')
  made.ca('-gencrl', '-out', 'crl.pem')
  return made
}
const known = new Map<string, OpensslFolder>()
/** A copy for each test, because openssl takes long to make one. */
const howto = (algorithm: 'RSA' | 'ECDSA' = 'ECDSA'): OpensslFolder => {
  const from = known.get(algorithm) ?? pattern(algorithm)
  known.set(algorithm, from)
  return copyOf(from, folder.path('demoCA'))
}
const entries = () =>
  folder.inState(async (cluster) => (await cluster.list(issuedCertificates, { namespace: 'data' })).items)
const authority = () =>
  folder.inState((cluster) => cluster.get(certificateAuthorities, { namespace: 'data', name: 'corp' }))

describe('dbtls ledger import', () => {
  it('makes an authority of the folder, with its history', async () => {
    const { path } = howto('RSA')
    const { code, out, err } = await imported(path)
    expect([code, err]).toEqual([
      0,
      expect.stringMatching(
        /took over {2}CertificateAuthority data\/corp: 3 certificates, 1 of them revoked; the last revocation list was number 1\n/,
      ),
    ])
    const manifest = parse(out) as { kind: string; spec: { duration: string } }
    expect(admit(manifest.kind, manifest as never, undefined, { unknownFields: 'Refuse' })).toHaveProperty('object')
    expect(manifest.spec).toMatchObject({
      source: { selfSigned: {} },
      subject: { literal: 'CN=Acme Root,O=Acme,C=DE' },
      privateKey: { algorithm: 'RSA', size: 2048, passphraseSecretRef: { name: 'corp-passphrase' } },
      duration: '3650d',
    })
    const found = (await entries()).map(({ spec }) => [spec.serialNumber, spec.revocation])
    expect(found).toHaveLength(3)
    expect(found).toContainEqual(['01', undefined])
    expect(found).toContainEqual([
      '02',
      { reason: 'keyCompromise', time: expect.any(String) as string, invalidityTime: '2026-01-01T12:00:00Z' },
    ])
    const made = await authority()
    expect(made.metadata.annotations ?? {}).not.toHaveProperty('dbtls.dev/hold')
    expect(made.status?.crl?.number).toBe(1)
    expect((await entries()).every(({ spec }) => spec.authorityRef.uid === made.metadata.uid)).toBe(true)
  })

  it('goes on with the key of openssl: what it signs verifies under the old root', async () => {
    const { path, openssl } = howto()
    await imported(path)
    const { code, err } = await folder.render(certificateYaml('orders', '', 'corp'))
    expect([code, err]).toEqual([0, ''])
    const leaf = folder.path('out/data/secret/orders-tls/tls.crt')
    expect(openssl('verify', '-CAfile', 'cacert.pem', leaf)).toContain('OK')
    const key = await folder.inState((cluster) => cluster.get(secrets, { namespace: 'data', name: 'corp-ca' }))
    expect(Buffer.from(key.data?.['tls.key'] ?? '', 'base64').toString()).toContain('ENCRYPTED PRIVATE KEY')
  })

  it('gives the folder back as it was', async () => {
    const { path, ca, openssl } = howto()
    const index = readFileSync(join(path, 'index.txt'), 'utf8')
    await imported(path)
    // The folder itself is an export of this authority, too: nothing in it is lost.
    for (const to of [folder.path('back'), path]) {
      expect(await exported(to, '--with-key')).toMatchObject({ code: 0 })
      for (const [name, text] of [
        ['index.txt', index],
        ['serial', '04\n'],
        ['crlnumber', '02\n'],
      ] as const)
        expect(readFileSync(join(to, name), 'utf8'), name).toBe(text)
    }
    ca('-gencrl', '-out', 'crl.pem')
    expect(openssl('crl', '-in', 'crl.pem', '-noout', '-crlnumber')).toBe('crlNumber=0x02\n')
  })

  it('adds nothing the second time, and what openssl did in between', async () => {
    const { path, ca, sign } = howto()
    await imported(path)
    const before = await entries()
    const again = await imported(path)
    expect(again).toMatchObject({ code: 0, err: expect.stringContaining('; 3 were there already') as string, out: '' })
    expect(await entries()).toEqual(before)
    sign('d')
    ca('-revoke', 'newcerts/01.pem', '-crl_reason', 'superseded')
    ca('-gencrl', '-out', 'crl.pem')
    expect(await exported(path)).toMatchObject({
      code: 1,
      err: expect.stringContaining('take it over first') as string,
    })
    expect(await imported(path)).toMatchObject({ code: 0 })
    const after = await entries()
    expect(after).toHaveLength(4)
    expect(after.find(({ spec }) => spec.serialNumber === '01')?.spec.revocation?.reason).toBe('superseded')
    expect((await authority()).status?.crl?.number).toBe(2)
    expect(await exported(path)).toMatchObject({ code: 0 })
  })

  it('makes a hold final that openssl has made final, and no export undoes that', async () => {
    const { path, ca } = howto()
    await imported(path)
    const reasonOf = async (serial: string) =>
      (await entries()).find(({ spec }) => spec.serialNumber === serial)?.spec.revocation?.reason
    await folder.inState(async (cluster) => {
      const { items } = await cluster.list(issuedCertificates, { namespace: 'data' })
      const found = items.find(({ spec }) => spec.serialNumber === '01')
      const held = { ...found, spec: { ...found?.spec, revocation: { reason: 'certificateHold' } } }
      await cluster.update(issuedCertificates, held as IssuedCertificate, { fieldManager: 'test' })
    })
    // The folder has not heard of the hold.
    expect(await imported(path)).toMatchObject({ code: 0 })
    expect(await reasonOf('01')).toBe('certificateHold')
    ca('-revoke', 'newcerts/01.pem', '-crl_reason', 'keyCompromise')
    expect(await exported(path)).toMatchObject({
      code: 1,
      err: expect.stringContaining('says that serial number 01 is revoked, and the ledger does not') as string,
    })
    expect(await imported(path)).toMatchObject({ code: 0 })
    expect(await reasonOf('01')).toBe('keyCompromise')
    expect(await exported(path)).toMatchObject({ code: 0 })
    expect(readFileSync(join(path, 'index.txt'), 'utf8')).toMatch(/^R\t\d+Z\t\d+Z,keyCompromise\t01\t/m)
  })

  it('knows the number of the last list before it writes a revocation', async () => {
    const { path, ca, sign } = howto()
    await imported(path)
    sign('d')
    ca('-revoke', 'newcerts/04.pem')
    for (let made = 0; made < 3; made += 1) ca('-gencrl', '-out', 'crl.pem')
    // Where the entry would stand there is something else, so that the import ends at it.
    await folder.inState(async (cluster) => {
      const { items } = await cluster.list(issuedCertificates, { namespace: 'data' })
      const [one] = items
      const authorityRef = { ...one?.spec.authorityRef, name: 'other' }
      const other = { ...one, metadata: { name: 'corp-04', namespace: 'data' }, spec: { ...one?.spec, authorityRef } }
      await cluster.create(issuedCertificates, other as IssuedCertificate, { fieldManager: 'test' })
    })
    const { code, err } = await imported(path)
    expect([code, err]).toEqual([1, expect.stringContaining('serial number 04 was changed meanwhile')])
    expect((await authority()).status?.crl?.number).toBe(4)
  })

  it.each([
    ['beyond what JSON keeps', '20000000000001', 2n ** 53n],
    ['of 20 octets', '7F'.padEnd(40, 'F'), 2n ** 159n - 2n],
  ])('goes on from a crlnumber %s, and openssl after it', async (_, next, last) => {
    const { path, ca, openssl } = howto()
    writeFileSync(join(path, 'crlnumber'), `${next}\n`)
    expect((await imported(path)).err).toContain(`the last revocation list was number ${last}\n`)
    expect(listNumberOf((await authority()).status?.crl)).toBe(last)
    expect(await imported(path)).toMatchObject({ code: 0 })
    expect(await exported(path)).toMatchObject({ code: 0 })
    expect(readFileSync(join(path, 'crlnumber'), 'utf8')).toBe(`${next}\n`)
    ca('-gencrl', '-out', 'crl.pem')
    expect(openssl('crl', '-in', 'crl.pem', '-noout', '-crlnumber')).toBe(`crlNumber=0x${next}\n`)
  })

  it('goes on where it was interrupted, and signs nothing meanwhile', async () => {
    const { path } = howto()
    await imported(path)
    await folder.inState(async (cluster) => {
      const found = await cluster.get(certificateAuthorities, { namespace: 'data', name: 'corp' })
      const hold = 'an import of an openssl folder has not ended; give the same command again'
      const annotations = { 'dbtls.dev/hold': hold }
      await cluster.update(
        certificateAuthorities,
        { ...found, metadata: { ...found.metadata, annotations } },
        { fieldManager: 'test' },
      )
      const { items } = await cluster.list(issuedCertificates, { namespace: 'data' })
      for (const entry of items.slice(1)) await cluster.delete(issuedCertificates, entry.metadata)
    })
    expect((await folder.render(certificateYaml('orders', '', 'corp'))).err).toContain('corp is not Ready')
    expect(await imported(path)).toMatchObject({ code: 0 })
    expect(await entries()).toHaveLength(3)
    expect((await folder.render(certificateYaml('orders', '', 'corp'))).code).toBe(0)
  })

  it('only says so with --dry-run', async () => {
    const { path } = howto()
    await folder.inState((cluster) => cluster.list(configMaps))
    const { code, err, out } = await imported(path, '--dry-run')
    expect([code, err]).toEqual([0, expect.stringContaining('would take CertificateAuthority data/corp') as string])
    expect(out).toMatch(/^apiVersion: dbtls\.dev/)
    expect(await entries()).toEqual([])
  })

  it('keeps a revocation whose certificate is lost', async () => {
    const { path } = howto()
    const index = readFileSync(join(path, 'index.txt'), 'utf8')
    rmSync(join(path, 'newcerts/02.pem'))
    const { code, err } = await imported(path)
    expect([code, err]).toEqual([
      0,
      expect.stringContaining(
        'line 2: newcerts/02.pem: there is no such file; its serial number and its revocation are kept',
      ) as string,
    ])
    const entry = (await entries()).find(({ spec }) => spec.serialNumber === '02')
    expect(entry?.spec).toMatchObject({ certificate: '', revocation: { reason: 'keyCompromise' } })
    expect((await verb('show', '02', '-n', 'data')).out).toMatch(/not known: the folder[^]*/)
    expect((await verb('list', '-n', 'data')).out).toMatch(/02 +Revoked \(keyCompromise\)/)
    expect(await exported(folder.path('back'))).toMatchObject({ code: 0 })
    expect(readFileSync(folder.path('back/index.txt'), 'utf8')).toBe(index)
  })

  it('reads CRLF, and the text that openssl puts before a certificate', async () => {
    const { path } = howto()
    for (const name of ['index.txt', 'serial', 'crlnumber', 'cacert.pem', 'private/cakey.pem']) {
      const text = readFileSync(join(path, name), 'utf8')
      writeFileSync(join(path, name), text.replaceAll('\n', '\r\n'))
    }
    expect(readFileSync(join(path, 'newcerts/01.pem'), 'utf8')).toMatch(/^Certificate:\n/)
    expect(await imported(path)).toMatchObject({ code: 0 })
    expect((await authority()).status?.crl?.number).toBe(1)
  })

  it('takes an intermediate as one that is brought along', async () => {
    const root = opensslFolder(folder.path('root'))
    const { path, openssl } = howto()
    openssl(
      'req',
      '-new',
      '-key',
      'private/cakey.pem',
      '-passin',
      'file:pass',
      '-subj',
      '/C=DE/O=Acme/CN=Below',
      '-out',
      'ca.csr',
    )
    writeFileSync(
      join(root.path, 'v3'),
      'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n',
    )
    const request = join(path, 'ca.csr')
    root.ca('-in', request, '-out', join(path, 'cacert.pem'), '-notext', '-extfile', 'v3')
    // Its certificates were signed under the other name.
    writeFileSync(join(path, 'index.txt'), '')
    expect(await imported(path)).toMatchObject({
      code: 1,
      err: expect.stringContaining('add every certificate above') as string,
    })
    const { code, out } = await imported(path, '--chain', join(root.path, 'cacert.pem'))
    expect(code).toBe(0)
    expect((parse(out) as { spec: unknown }).spec).toMatchObject({
      source: { secret: { name: 'corp-imported', passphraseSecretRef: { name: 'corp-passphrase' } } },
    })
  })

  const hostile: readonly (readonly [string, (made: OpensslFolder) => void, string | RegExp])[] = [
    ['no index.txt', ({ path }) => rmSync(join(path, 'index.txt')), 'it has no index.txt'],
    ['no certificate', ({ path }) => rmSync(join(path, 'cacert.pem')), '--certificate'],
    ['no key', ({ path }) => rmSync(join(path, 'private'), { recursive: true }), '--key'],
    ['a wrong passphrase', ({ path }) => writeFileSync(join(path, 'pass'), 'wrong'), 'does not open the private key'],
    [
      'a broken line',
      ({ path }) => appendFileSync(join(path, 'index.txt'), 'V\tx\n'),
      /index\.txt:4: it has 2 fields[^]*nothing was taken over/,
    ],
    [
      'a serial number twice',
      ({ path }) => appendFileSync(join(path, 'index.txt'), 'V\t261221054427Z\t\t01\tunknown\t/CN=x\n'),
      'serial number 01 stands in line 1, too',
    ],
    [
      'a path as serial number',
      ({ path }) => appendFileSync(join(path, 'index.txt'), 'V\t261221054427Z\t\t../../pass\tunknown\t/CN=x\n'),
      'is not hex',
    ],
    ['a broken crlnumber', ({ path }) => writeFileSync(join(path, 'crlnumber'), 'many'), 'crlnumber does not hold'],
    ['a crlnumber beyond bounds', ({ path }) => writeFileSync(join(path, 'crlnumber'), 'FF'.repeat(20)), '20 octets'],
    [
      'a FIFO for a certificate',
      ({ path }) => {
        rmSync(join(path, 'newcerts/01.pem'))
        spawnSync('mkfifo', [join(path, 'newcerts/01.pem')])
      },
      'is not a file',
    ],
    [
      'a folder for the index',
      ({ path }) => {
        rmSync(join(path, 'index.txt'))
        mkdirSync(join(path, 'index.txt'))
      },
      'is not a file',
    ],
    [
      'a huge certificate',
      ({ path }) => writeFileSync(join(path, 'newcerts/01.pem'), Buffer.alloc(2 * 1024 * 1024)),
      'at most 1048576',
    ],
    [
      'the certificate of another CA',
      ({ path }) => {
        const other = opensslFolder(folder.path('other'))
        renameSync(join(other.path, 'cacert.pem'), join(path, 'cacert.pem'))
      },
      'cannot be taken over',
    ],
    [
      'certificate and key of another CA',
      ({ path }) => {
        const other = opensslFolder(folder.path('other'))
        for (const name of ['cacert.pem', 'private/cakey.pem']) renameSync(join(other.path, name), join(path, name))
      },
      'none of the certificates',
    ],
  ]
  it.each(hostile)('takes nothing over from a folder with %s', async (_, change, sentence) => {
    const made = howto()
    change(made)
    await folder.inState((cluster) => cluster.list(configMaps))
    const { code, err } = await imported(made.path)
    expect([code, err]).toEqual([
      1,
      typeof sentence === 'string' ? expect.stringContaining(sentence) : expect.stringMatching(sentence),
    ])
    expect(await entries()).toEqual([])
  })

  it('says which files hold something else, and keeps what their lines say', async () => {
    const made = howto()
    const other = opensslFolder(folder.path('other'))
    other.sign('x')
    const at = (serial: string): string => join(made.path, `newcerts/${serial}.pem`)
    renameSync(join(other.path, 'newcerts/01.pem'), at('01'))
    rmSync(at('02'))
    symlinkSync('/etc/passwd', at('02'))
    const { code, err } = await imported(made.path)
    expect(code).toBe(0)
    expect(err).toMatch(/line 1: newcerts\/01\.pem: its certificate was signed by another CA/)
    expect(err).toMatch(
      /line 2: newcerts\/02\.pem: it holds no certificate; its serial number and its revocation are kept/,
    )
    expect(err).not.toContain('root:')
    expect(await entries()).toHaveLength(3)
  })

  it('does not mix two CAs under one name', async () => {
    const { path } = howto()
    await imported(path)
    const other = opensslFolder(folder.path('other'))
    expect(await imported(other.path)).toMatchObject({
      code: 1,
      err: expect.stringContaining('is another CA') as string,
    })
  })
})
