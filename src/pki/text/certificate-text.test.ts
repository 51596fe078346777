import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { certificateText } from './certificate-text.ts'
import { issueCertificate } from '../certificates/certificate.ts'
import { nameConstraints } from '../constraints/name-constraints.ts'
import { distinguishedName } from '../names/names.ts'
import { parseCertificate } from '../certificates/parse.ts'
import { certificatesOf } from '../encoding/pem.ts'
import {
  algorithms,
  generate,
  makeIntermediate,
  makeRoot,
  nameOf,
  openssl,
  opensslVersion,
  planLeaf,
} from '../testing.ts'

/** OpenSSL 3.2 dropped the spaces around "=" in names. */
const newer = (text: string): string => text.replace(/\b(\w+|[0-9.]+) = (?=\S)/g, '$1=')
const printed = (der: Uint8Array): string => newer(openssl(['x509', '-inform', 'DER', '-noout', '-text'], der))
const text = (der: Uint8Array): string => certificateText(parseCertificate(der))

const extensions = `
basicConstraints=critical,CA:TRUE,pathlen:3
keyUsage=critical,digitalSignature,nonRepudiation,keyEncipherment,dataEncipherment,keyAgreement,keyCertSign,cRLSign,encipherOnly,decipherOnly
extendedKeyUsage=serverAuth,clientAuth,codeSigning,emailProtection,timeStamping,OCSPSigning,1.2.3.4,anyExtendedKeyUsage
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid:always
subjectAltName=DNS:a.b,DNS:*.c,IP:192.0.2.7,IP:2001:db8::7,URI:spiffe://x/y,email:a@b.c,RID:1.2.3
nameConstraints=critical,permitted;DNS:example.internal,permitted;IP:10.0.0.0/255.0.0.0,permitted;IP:fd00::/ff00::,excluded;email:.bad,excluded;URI:.evil,excluded;dirName:dn2
crlDistributionPoints=URI:http://a/b.crl,URI:http://c/d.crl
authorityInfoAccess=caIssuers;URI:http://a/b.cer,OCSP;URI:http://o/
1.2.3.4.5=ASN1:UTF8String:hello
1.2.3.4.6=critical,DER:0102ff414243
[dn2]
CN=Dir, Name
O=X
`
const config = (names: string): string =>
  `[req]\ndistinguished_name=dn\nx509_extensions=v3\nprompt=no\nutf8=yes\nstring_mask=utf8only\n[dn]\n${names}\n[v3]\n${extensions}`

/** What `openssl req -x509` makes of a configuration, DER. */
const made = (names: string, ...args: string[]): Uint8Array => {
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-text-'))
  try {
    writeFileSync(join(folder, 'c'), config(names))
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(folder, 'k')]
    const pem = execFileSync('openssl', ['req', '-x509', ...key, '-config', join(folder, 'c'), ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return certificatesOf(pem.toString())[0] ?? new Uint8Array()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe.skipIf(opensslVersion === undefined)('certificateText', () => {
  it.each(algorithms)('prints roots and leaves of $algorithm $size as openssl does', async (algorithm) => {
    const root = await makeRoot({ algorithm, pathLength: 1 })
    expect(text(root.certificate)).toBe(printed(root.certificate))
    const leaf = (
      await issueCertificate(
        planLeaf(root.signer, await generate(algorithm), {
          crlDistributionPoints: ['http://pki.example/ca/data/orders.crl'],
          caIssuers: ['http://pki.example/ca/data/orders.cer'],
        }),
        root.signer,
      )
    ).der
    expect(text(leaf), nameOf(algorithm)).toBe(printed(leaf))
  })

  it('prints name constraints and an intermediate as openssl does', async () => {
    const constraints = nameConstraints({
      permitted: { dnsDomains: ['example.internal'], ipRanges: ['10.0.0.0/8', 'fd00::/8'] },
      excluded: { emailAddresses: ['.bad.example'], uriDomains: ['evil.example'] },
    })
    const root = await makeRoot({ nameConstraints: constraints })
    const names = ['Zwischen, "Stelle" Zürich', 'a"b', '#a', 'a\\', 'a b']
    const below = await Promise.all(names.map((name) => makeIntermediate(root, name, 0)))
    for (const der of [root.certificate, ...below.map(({ certificate }) => certificate)])
      expect(text(der)).toBe(printed(der))
  })

  it.each([
    ['short serial number', 'CN=x', '0x4F0C'],
    ['largest number of a C long', 'CN=x', '0x7FFFFFFFFFFFFFFF'],
    ['one more', 'CN=x', '0x8000000000000000'],
    ['quotes, commas and angle brackets', 'C=DE\nO=Acme, "GmbH" <x>\nOU=a+b;c\nCN=x', '1'],
    ['a backslash', String.raw`CN=a\\b`, '1'],
    ['other scripts', 'L=Zürich\nO=日本 🔑\nCN=Москва', '1'],
    ['all other attributes', 'emailAddress=a@b.c\nDC=example\nUID=u\nstreet=s 1\nserialNumber=7', '1'],
    ['a number sign in front', String.raw`CN=\#lead`, '1'],
  ])('prints foreign certificates as openssl does: %s', (_, names, serial) => {
    const der = made(names, '-set_serial', serial, '-days', '3650')
    expect(text(der)).toBe(printed(der))
  })

  it('takes control characters out of names', async () => {
    const root = await makeRoot({ commonName: 'x' })
    const name = distinguishedName({ commonName: '<script>alert(1)</script>\u202e' })
    const leaf = (await issueCertificate(planLeaf(root.signer, await generate(), { subject: name }), root.signer)).der
    expect(text(leaf)).toContain(String.raw`Subject: CN="<script>alert(1)</script>\E2\80\AE"`)
    expect(text(leaf)).toBe(printed(leaf))
  })

  it('never lets a byte through that is not visible ASCII, whatever an extension holds', async () => {
    const root = await makeRoot()
    const parsed = parseCertificate(root.certificate)
    const known = [
      '2.5.29.14',
      '2.5.29.15',
      '2.5.29.17',
      '2.5.29.19',
      '2.5.29.30',
      '2.5.29.31',
      '2.5.29.35',
      '2.5.29.37',
    ]
    fc.assert(
      fc.property(fc.constantFrom(...known, '1.2.3'), fc.uint8Array({ maxLength: 40 }), (oid, value) => {
        const shown = certificateText({ ...parsed, extensions: [{ oid, critical: false, value }] })
        expect(shown).toMatch(/^[\x20-\x7e\n]*$/)
      }),
    )
  })
})
