/** Every kind of CA key signs every kind of leaf key, and openssl judges the result as strictly as it can. */

import { beforeAll, describe, expect, test } from 'vitest'
import { issueCertificate } from './certificate.ts'
import type { KeyPair } from '../keys/keys.ts'
import {
  algorithms,
  type Authority,
  day,
  generate,
  makeIntermediate,
  makeRoot,
  nameOf,
  now,
  openssl,
  opensslVersion,
  pemFolder,
  planLeaf,
  take,
} from '../testing.ts'

const names = algorithms.map(nameOf)
const keys = new Map<string, KeyPair>()
const roots = new Map<string, Authority>()

const verify = ['verify', '-x509_strict', '-attime', String(now / 1000 + 60), '-check_ss_sig']

describe.skipIf(opensslVersion === undefined)('openssl', () => {
  beforeAll(async () => {
    for (const algorithm of algorithms) {
      keys.set(nameOf(algorithm), await generate(algorithm))
      roots.set(nameOf(algorithm), await makeRoot({ algorithm, pathLength: 0 }))
    }
  }, 120_000)

  test.each(names)(
    'verifies leaves of all keys under a %s root, strictly, for both purposes',
    async (ca) => {
      using folder = pemFolder()
      const { certificate, signer } = take(roots, ca)
      const root = folder.write('root.pem', 'CERTIFICATE', certificate)
      const leaves = await Promise.all(
        names.map(async (name) =>
          folder.write(
            `${name}.pem`,
            'CERTIFICATE',
            (await issueCertificate(planLeaf(signer, take(keys, name)), signer)).der,
          ),
        ),
      )
      for (const purpose of ['sslserver', 'sslclient'])
        expect(
          openssl([...verify, '-purpose', purpose, '-CAfile', root, ...leaves])
            .trim()
            .split('\n'),
        ).toEqual(leaves.map((leaf) => `${leaf}: OK`))
      for (const [option, value] of [
        ['-verify_hostname', 'x.orders.data.svc'],
        ['-verify_ip', '2001:db8::7'],
        ['-verify_email', 'dba@example.com'],
      ] as const)
        expect(openssl([...verify, option, value, '-CAfile', root, ...leaves])).not.toContain('error')
    },
    60_000,
  )

  test('prints the profile of a leaf', async () => {
    using folder = pemFolder()
    const { signer } = take(roots, 'ECDSA-256')
    const plan = planLeaf(signer, take(keys, 'ECDSA-256'))
    const file = folder.write('leaf.pem', 'CERTIFICATE', (await issueCertificate(plan, signer)).der)
    const text = openssl([
      'x509',
      '-in',
      file,
      '-noout',
      '-text',
      '-nameopt',
      'RFC2253',
      '-certopt',
      'no_pubkey,no_sigdump',
    ])
    const hex = (bytes: Uint8Array): string =>
      (Buffer.from(bytes).toString('hex').toUpperCase().match(/../g) ?? []).join(':')
    expect(
      text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== ''),
    ).toEqual([
      'Certificate:',
      'Data:',
      'Version: 3 (0x2)',
      'Serial Number:',
      hex(plan.serialNumber).toLowerCase(),
      'Signature Algorithm: ecdsa-with-SHA256',
      'Issuer: CN=Orders CA,O=Acme',
      'Validity',
      'Not Before: Jun  1 11:55:00 2026 GMT',
      'Not After : Aug 30 11:55:00 2026 GMT',
      'Subject: CN=orders',
      'X509v3 extensions:',
      'X509v3 Basic Constraints: critical',
      'CA:FALSE',
      'X509v3 Key Usage: critical',
      'Digital Signature',
      'X509v3 Extended Key Usage:',
      'TLS Web Server Authentication, TLS Web Client Authentication',
      'X509v3 Subject Key Identifier:',
      hex(plan.subjectKeyId),
      'X509v3 Authority Key Identifier:',
      hex(signer.subjectKeyId),
      'X509v3 Subject Alternative Name:',
      'DNS:orders.data.svc, DNS:*.orders.data.svc, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7, URI:spiffe://cluster.local/ns/data/sa/orders, email:dba@example.com',
    ])
  })

  test('prints the profile of a root', () => {
    using folder = pemFolder()
    const file = folder.write('root.pem', 'CERTIFICATE', take(roots, 'RSA-2048').certificate)
    const text = openssl(['x509', '-in', file, '-noout', '-text', '-certopt', 'no_pubkey,no_sigdump'])
    expect(text).toContain('CA:TRUE, pathlen:0')
    expect(text).toContain('Certificate Sign, CRL Sign')
    expect(text).toMatch(/Basic Constraints: critical/)
    expect(text).toMatch(/Key Usage: critical/)
    expect(text).not.toContain('Authority Key Identifier')
  })

  test('verifies a chain over an intermediate, and refuses it without', async () => {
    using folder = pemFolder()
    const top = await makeRoot({ commonName: 'Top', pathLength: 1 })
    const middle = await makeIntermediate(top, 'Middle')
    const leaf = (await issueCertificate(planLeaf(middle.signer, take(keys, 'Ed25519')), middle.signer)).der
    const files = {
      root: folder.write('root.pem', 'CERTIFICATE', top.certificate),
      middle: folder.write('middle.pem', 'CERTIFICATE', middle.certificate),
      leaf: folder.write('leaf.pem', 'CERTIFICATE', leaf),
    }
    expect(openssl([...verify, '-CAfile', files.root, '-untrusted', files.middle, files.leaf])).toContain('OK')
    expect(() => openssl([...verify, '-CAfile', files.root, files.leaf])).toThrow('unable to get local issuer')
  })

  test('verifies what an old CA signed under its renewal with the same key', async () => {
    using folder = pemFolder()
    const old = take(roots, 'ECDSA-384')
    const renewed = await makeRoot({ key: old.key, pathLength: 0, now: now + 30 * day })
    const leaf = (await issueCertificate(planLeaf(old.signer, take(keys, 'ECDSA-256')), old.signer)).der
    const root = folder.write('root.pem', 'CERTIFICATE', renewed.certificate)
    const file = folder.write('leaf.pem', 'CERTIFICATE', leaf)
    const later = String((now + 40 * day) / 1000)
    expect(openssl(['verify', '-x509_strict', '-attime', later, '-CAfile', root, file])).toContain('OK')
  })
})
