import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { certificateFacts } from '../../authority/facts.ts'
import { parseCertificate } from '../../pki/certificates/parse.ts'
import { certificatesOf } from '../../pki/encoding/pem.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { secrets } from '../../resources/core.ts'
import { main as ledger } from './ledger.ts'
import { opensslFolder, type OpensslFolder } from './openssl-folder.fixture.ts'
import { certificateYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'

const folder = useFolder()
const verb = (...args: string[]) => runVerb(ledger, [...args, '--authority', 'data/corp', ...folder.state])
const imported = (path: string) => verb('import', path)
const exported = (path: string, ...args: string[]) => verb('export', '--openssl', path, ...args)

const encoded = (text: string): string => Buffer.from(text).toString('base64')
const manifest = `apiVersion: dbtls.dev/v1alpha1
kind: CertificateAuthority
metadata: {name: corp, namespace: data}
spec: {source: {secret: {name: mine}}}
`
const withoutOperator = () =>
  folder.inState((cluster) =>
    cluster.create(certificateAuthorities, parse(manifest) as CertificateAuthority, { fieldManager: 'test' }),
  )

describe('an intermediate that is brought along with its root before it', () => {
  /** What `source.secret` brings along, and the folder of openssl that belongs to it. */
  const brought = async (privateKey: (made: OpensslFolder) => string) => {
    const root = opensslFolder(folder.path('root'))
    const made = opensslFolder(folder.path('demoCA'))
    const { path, openssl } = made
    const key = ['-key', 'private/cakey.pem', '-passin', 'file:pass']
    openssl('req', '-new', ...key, '-subj', '/C=DE/O=Acme/CN=Below', '-out', 'ca.csr')
    writeFileSync(
      join(root.path, 'v3'),
      'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n',
    )
    root.ca('-in', join(path, 'ca.csr'), '-out', join(path, 'cacert.pem'), '-notext', '-extfile', 'v3')
    writeFileSync(join(path, 'index.txt'), '')
    const own = readFileSync(join(path, 'cacert.pem'), 'utf8')
    const above = readFileSync(join(root.path, 'cacert.pem'), 'utf8')
    writeFileSync(join(path, 'cacert.pem'), above + own)
    await folder.inState(async (cluster) => {
      const data = { 'tls.crt': encoded(above + own), 'tls.key': encoded(privateKey(made)), 'ca.crt': encoded(above) }
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'data', name: 'mine' }, data }
      await cluster.create(secrets, secret, { fieldManager: 'test' })
    })
    return { ...made, own }
  }

  it('goes to and fro as the intermediate', async () => {
    const { path, own, openssl } = await brought((made) =>
      made.openssl('pkey', '-in', 'private/cakey.pem', '-passin', 'file:pass'),
    )
    expect(await folder.render(`${manifest}---\n` + certificateYaml('orders', '', 'corp'))).toMatchObject({
      code: 0,
      err: '',
    })
    const back = folder.path('back')
    expect(await exported(back, '--with-key', '--plain-key')).toMatchObject({ code: 0, err: '' })
    const read = (...args: string[]): string => openssl('x509', '-noout', '-fingerprint', ...args)
    writeFileSync(join(path, 'own.pem'), own)
    expect(read('-in', join(back, 'cacert.pem'))).toBe(read('-in', 'own.pem'))
    expect(
      openssl(
        'verify',
        '-partial_chain',
        '-CAfile',
        join(back, 'cacert.pem'),
        folder.path('out/data/secret/orders-tls/tls.crt'),
      ),
    ).toContain('OK')
    // Both the folder of one certificate and that of two are this CA.
    for (const from of [back, path]) expect(await imported(from)).toMatchObject({ code: 0 })
    expect(await exported(path)).toMatchObject({ code: 0 })
  })

  it('is known by who signed whom where the key is encrypted, and no operator has looked at it yet', async () => {
    const { own, openssl, path } = await brought(({ path: at }) => readFileSync(join(at, 'private/cakey.pem'), 'utf8'))
    await withoutOperator()
    writeFileSync(join(path, 'own.pem'), own)
    const read = (file: string): string => openssl('x509', '-noout', '-fingerprint', '-in', file)
    expect(await exported(folder.path('back'))).toMatchObject({ code: 0 })
    expect(read(folder.path('back', 'cacert.pem'))).toBe(read('own.pem'))
  })

  it('is known by what the operator reports where the key is encrypted', async () => {
    const { own, openssl, path } = await brought(({ path: at }) => readFileSync(join(at, 'private/cakey.pem'), 'utf8'))
    writeFileSync(join(path, 'own.pem'), own)
    const former = opensslFolder(folder.path('former'))
    const text = readFileSync(join(former.path, 'cacert.pem'), 'utf8') + own
    const made = await withoutOperator()
    await folder.inState(async (cluster) => {
      const secret = await cluster.get(secrets, { namespace: 'data', name: 'mine' })
      const data = { ...secret.data, 'tls.crt': encoded(text) }
      await cluster.update(secrets, { ...secret, data }, { fieldManager: 'test' })
      const certificate = certificateFacts(parseCertificate(certificatesOf(own)[0] ?? new Uint8Array()))
      const status = { ...made.status, certificate } as CertificateAuthority['status']
      await cluster.updateStatus(certificateAuthorities, { ...made, status } as CertificateAuthority, {
        fieldManager: 'test',
      })
    })
    expect(await exported(folder.path('back'))).toMatchObject({ code: 0 })
    const read = (file: string): string => openssl('x509', '-noout', '-fingerprint', '-in', file)
    expect(read(folder.path('back', 'cacert.pem'))).toBe(read('own.pem'))
  })

  it('is exported with no certificate that is not of its key', async () => {
    await brought((made) => made.openssl('genpkey', '-algorithm', 'ED25519'))
    await withoutOperator()
    expect(await exported(folder.path('back'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('the private key belongs to none of its certificates') as string,
    })
  })
})
