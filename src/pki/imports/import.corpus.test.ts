/** CAs as they come from the field and from an attacker, each with its verdict. */

import { describe, expect, test } from 'vitest'
import { type AuthorityFiles, type AuthorityRefusal, type ImportedAuthority, importAuthority } from './authority.ts'
import { type AuthorityShape, ecKey, type MadeAuthority, makeAuthority, rsaKey, usual } from './import.fixture.ts'
import { createSigner } from '../certificates/signer.ts'
import { issueCertificate } from '../certificates/certificate.ts'
import { chainProblems } from '../certificates/chain.ts'
import { parseCertificate } from '../certificates/parse.ts'
import { emptyName } from '../names/names.ts'
import { leafPlan, usagesOf } from '../certificates/plans.ts'
import { day, generate, openssl, opensslVersion, p256, pemFolder, randomSerial } from '../testing.ts'

/** openssl writes the time at which it runs. */
const present = Math.floor(Date.now() / 1000) * 1000 + 3_600_000
const bytes = (text: string): Uint8Array => Buffer.from(text)

type Files = Partial<Omit<AuthorityFiles, 'certificate' | 'privateKey' | 'chain'>> & {
  readonly certificate: string
  readonly key: string
  readonly chain?: string
}

const judge = ({ certificate, key, chain, ...more }: Files) =>
  importAuthority({
    certificate: bytes(certificate),
    privateKey: bytes(key),
    ...(chain === undefined ? {} : { chain: bytes(chain) }),
    passphrases: [],
    now: present,
    ...more,
  })

const root = makeAuthority({ subject: '/O=Acme/CN=Acme Root' })
const stranger = makeAuthority({ subject: '/O=Evil/CN=Stranger' })
const middle = makeAuthority({ subject: '/O=Acme/CN=Acme Policy CA', signedBy: root, days: 3000 })
const issuing = makeAuthority({ subject: '/O=Acme/CN=Acme Issuing CA', signedBy: middle, days: 2000 })
const ca = makeAuthority()
const alone = (shape: AuthorityShape, more: Partial<Files> = {}): Files => ({ ...makeAuthority(shape), ...more })
const under = (shape: AuthorityShape, above: MadeAuthority = root): Files => ({
  ...makeAuthority({ ...shape, signedBy: above }),
  chain: above.certificate,
})
const encrypted = (...args: string[]): string => openssl(['pkcs8', '-topk8', '-passout', 'pass:right', ...args], ca.key)
const kept = usual.filter((line) => !line.startsWith('keyUsage'))

interface Usable {
  readonly name: string
  readonly files: () => Files
  /** Certificates in the chain of a leaf. */
  readonly chain: number
  /** Roots. */
  readonly trust?: number
  readonly warns?: string
}

const usable: readonly Usable[] = [
  { name: 'a root alone', files: () => ca, chain: 0 },
  { name: 'a root of RSA 2048', files: () => alone({ key: rsaKey(2048) }), chain: 0 },
  { name: 'a root of Ed25519', files: () => alone({ key: ['-algorithm', 'ED25519'] }), chain: 0 },
  { name: 'a root that stands in the chain, too', files: () => ({ ...ca, chain: ca.certificate }), chain: 0 },
  {
    name: 'text before, between and after, CRLF and a byte order mark',
    files: () => ({
      certificate: `\uFEFF${openssl(['x509', '-text'], issuing.certificate)}\n# above: \n`.replaceAll('\n', '\r\n'),
      key: `Key of the CA\n${issuing.key}`.replaceAll('\n', '\r\n'),
      chain: `subject=Policy CA\n${middle.certificate}\nsubject=Root\n${root.certificate}the end`,
    }),
    chain: 2,
  },
  {
    name: 'a chain in the wrong order',
    files: () => ({ ...issuing, chain: root.certificate + middle.certificate }),
    chain: 2,
  },
  {
    name: 'everything in one file, root first',
    files: () => ({ certificate: root.certificate + middle.certificate + issuing.certificate, key: issuing.key }),
    chain: 2,
  },
  {
    name: 'certificates several times over',
    files: () => ({
      certificate: issuing.certificate + issuing.certificate + middle.certificate,
      key: issuing.key,
      chain: root.certificate + middle.certificate + root.certificate,
    }),
    chain: 2,
  },
  {
    name: 'certificates that have nothing to do with it',
    files: () => ({
      ...issuing,
      chain:
        makeAuthority({ subject: '/CN=other', signedBy: stranger }).certificate + middle.certificate + root.certificate,
    }),
    chain: 2,
    warns: 'Not needed and left out: "CN=other"',
  },
  {
    name: 'several roots, of which the other one is trusted, too',
    files: () => ({ ...issuing, chain: stranger.certificate + middle.certificate + root.certificate }),
    chain: 2,
    trust: 2,
  },
  {
    name: 'a root beside it that has expired',
    files: () => ({
      ...issuing,
      chain: makeAuthority({ subject: '/CN=old', days: 1 }).certificate + middle.certificate + root.certificate,
      now: present + 10 * day,
    }),
    chain: 2,
    warns: 'Expired and left out of the trust bundle: "CN=old"',
  },
  {
    name: 'a namesake of the root with another key before the right one',
    files: () => ({
      ...issuing,
      chain: makeAuthority({ subject: '/O=Acme/CN=Acme Root' }).certificate + root.certificate + middle.certificate,
    }),
    chain: 2,
    trust: 2,
  },
  {
    name: 'an old and a renewed certificate of one key: the one that lasts',
    files: () => {
      const renewed = makeAuthority({ reuse: ca.key, days: 5000 })
      return { certificate: ca.certificate + renewed.certificate, key: ca.key }
    },
    chain: 0,
    warns: 'Not needed and left out',
  },
  { name: 'no key identifier', files: () => alone({ extensions: usual.slice(0, 2) }), chain: 0 },
  {
    name: 'an authority key identifier with issuer and serial number',
    files: () => under({ extensions: [...usual, 'authorityKeyIdentifier = keyid:always,issuer:always'] }),
    chain: 1,
  },
  {
    name: 'no key usage at all, as the default configuration of openssl leaves it',
    files: () => alone({ extensions: kept }),
    chain: 0,
    warns: 'has no key usage',
  },
  {
    name: 'no cRLSign: certificates alone',
    files: () => alone({ extensions: [...kept, 'keyUsage = critical,keyCertSign'] }),
    chain: 0,
    warns: 'may not sign revocation lists',
  },
  {
    name: 'a purpose of servers alone',
    files: () => under({ extensions: [...usual, 'extendedKeyUsage = serverAuth'] }),
    chain: 1,
    warns: 'limited to other purposes than clientAuth',
  },
  {
    name: 'path length 0',
    files: () => alone({ extensions: ['basicConstraints = critical,CA:TRUE,pathlen:0', ...usual.slice(1)] }),
    chain: 0,
  },
  {
    name: 'name constraints',
    files: () => alone({ extensions: [...usual, 'nameConstraints = critical,permitted;DNS:data.svc'] }),
    chain: 0,
  },
  {
    name: 'a subject of UTF8String, a part of two attributes and an odd order',
    files: () =>
      alone({ name: ['CN = Zürich CA', 'OU = one', '+emailAddress = ca@example.com', 'O = Acme', 'C = CH'] }),
    chain: 0,
  },
  {
    name: 'a subject of TeletexString',
    files: () => alone({ mask: 'default', name: ['O = Acme', 'CN = Käse CA'] }),
    chain: 0,
  },
  {
    name: 'a key in SEC1 behind its parameters',
    files: () => ({ ...ca, key: openssl(['ecparam', '-name', 'prime256v1']) + openssl(['ec'], ca.key) }),
    chain: 0,
  },
  { name: 'a key under PBES2', files: () => ({ ...ca, key: encrypted(), passphrases: ['right'] }), chain: 0 },
  {
    name: 'a key in the traditional form, under the passphrase before',
    files: () => ({
      ...ca,
      key: openssl(['ec', '-aes256', '-passout', 'pass:right'], ca.key),
      passphrases: ['new', 'right'],
    }),
    chain: 0,
  },
  {
    name: 'signed with RSASSA-PSS and SHA-256',
    files: () => alone({ key: rsaKey(2048), arguments: ['-sha256', '-sigopt', 'rsa_padding_mode:pss'] }),
    chain: 0,
  },
  {
    name: 'a root that is signed with SHA-1, above',
    files: () => under({}, makeAuthority({ subject: '/CN=old root', arguments: ['-sha1'] })),
    chain: 1,
  },
]

interface Refused {
  readonly name: string
  readonly files: () => Files
  readonly kind: AuthorityRefusal['kind']
  readonly says: string
}

const refused: readonly Refused[] = [
  {
    name: 'expired',
    files: () => ({ ...ca, now: present + 4000 * day }),
    kind: 'Expired',
    says: '"CN=Acme CA,O=Acme" expired at ',
  },
  {
    name: 'not valid yet',
    files: () => ({ ...ca, now: present - day }),
    kind: 'NotYetValid',
    says: 'is not valid before',
  },
  {
    name: 'an expired root above it',
    files: () => ({
      ...under({ days: 3000 }, makeAuthority({ subject: '/CN=short', days: 10 })),
      now: present + 20 * day,
    }),
    kind: 'Expired',
    says: '"CN=short" expired',
  },
  {
    name: 'no CA',
    files: () => alone({ extensions: ['basicConstraints = CA:FALSE'] }),
    kind: 'CannotSign',
    says: 'do not say CA:TRUE',
  },
  {
    name: 'no extensions at all (version 1)',
    files: () => alone({ extensions: [] }),
    kind: 'CannotSign',
    says: 'do not say CA:TRUE',
  },
  {
    name: 'no keyCertSign',
    files: () => alone({ extensions: [...kept, 'keyUsage = critical,digitalSignature,cRLSign'] }),
    kind: 'CannotSign',
    says: 'its key usage lacks keyCertSign',
  },
  {
    name: 'a CA above it without keyCertSign',
    files: () =>
      under({}, makeAuthority({ subject: '/CN=lame', extensions: [...kept, 'keyUsage = critical,cRLSign'] })),
    kind: 'CannotSign',
    says: '"CN=lame" may not sign certificates',
  },
  {
    name: 'the key of another CA',
    files: () => ({ ...ca, key: stranger.key }),
    kind: 'KeyMismatch',
    says: 'does not belong to the certificate "CN=Acme CA,O=Acme"',
  },
  {
    name: 'the key of the CA above it',
    files: () => ({ ...issuing, key: middle.key, chain: middle.certificate + root.certificate }),
    kind: 'KeyMismatch',
    says: 'does not belong to the certificate "CN=Acme Issuing CA,O=Acme"',
  },
  {
    name: 'no root',
    files: () => ({ ...issuing, chain: middle.certificate }),
    kind: 'CannotSign',
    says: 'No certificate of "CN=Acme Root,O=Acme"',
  },
  { name: 'no chain', files: () => issuing, kind: 'CannotSign', says: 'No certificate of "CN=Acme Policy CA,O=Acme"' },
  {
    name: 'a namesake of the root with another key',
    files: () => ({ ...middle, chain: makeAuthority({ subject: '/O=Acme/CN=Acme Root' }).certificate }),
    kind: 'CannotSign',
    says: 'is not signed by the certificate of "CN=Acme Root,O=Acme" that is given',
  },
  {
    name: 'a root of the right name and key under another key identifier, as openssl would refuse it',
    files: () => {
      const extensions = [...usual.slice(0, 2), 'subjectKeyIdentifier = 01020304']
      const other = makeAuthority({ subject: '/O=Acme/CN=Acme Root', reuse: root.key, extensions })
      return { ...middle, chain: other.certificate }
    },
    kind: 'CannotSign',
    says: 'is not signed by the certificate of "CN=Acme Root,O=Acme" that is given',
  },
  {
    name: 'a path length that is used up above',
    files: () => {
      const short = makeAuthority({
        subject: '/CN=short',
        extensions: ['basicConstraints = critical,CA:TRUE,pathlen:0', ...usual.slice(1)],
      })
      return under({}, short)
    },
    kind: 'CannotSign',
    says: '"CN=short" allows 0 CAs below it, and there are 1',
  },
  {
    name: 'a name that the CA above does not permit',
    files: () =>
      under(
        { subject: '/CN=ca.example.com' },
        makeAuthority({
          subject: '/CN=r',
          extensions: [...usual, 'nameConstraints = critical,permitted;DNS:data.svc'],
        }),
      ),
    kind: 'CannotSign',
    says: 'outside what the name constraints',
  },
  {
    name: 'a critical extension that nobody here knows',
    files: () => alone({ extensions: [...usual, '1.2.3.4 = critical,ASN1:NULL'] }),
    kind: 'CannotSign',
    says: 'critical extension 1.2.3.4',
  },
  {
    name: 'signed with SHA-1',
    files: () => alone({ arguments: ['-sha1'] }),
    kind: 'CannotSign',
    says: 'signed with SHA-1',
  },
  {
    name: 'signed with RSASSA-PSS and SHA-1',
    files: () => alone({ key: rsaKey(2048), arguments: ['-sha1', '-sigopt', 'rsa_padding_mode:pss'] }),
    kind: 'CannotSign',
    says: 'signed with SHA-1',
  },
  {
    name: 'below more CAs than anybody has',
    files: () => {
      const above = [root]
      const next = (name: string): MadeAuthority => {
        const at = above.length
        return makeAuthority({ subject: `/CN=${name} ${at}`, signedBy: above.at(-1) ?? root, days: 3600 - at })
      }
      while (above.length < 8) above.push(next('level'))
      return { ...next('deep'), chain: above.map(({ certificate }) => certificate).join('') }
    },
    kind: 'CannotSign',
    says: 'more than 8 certificates',
  },
  {
    name: 'signed with MD5',
    files: () => alone({ key: rsaKey(2048), arguments: ['-md5'] }),
    kind: 'CannotSign',
    says: 'signed with MD5',
  },
  {
    name: 'a CA between that is signed with SHA-1',
    files: () => {
      const between = makeAuthority({ subject: '/CN=between', signedBy: root, arguments: ['-sha1'] })
      return { ...makeAuthority({ signedBy: between }), chain: between.certificate + root.certificate }
    },
    kind: 'CannotSign',
    says: '"CN=between" is signed with SHA-1',
  },
  {
    name: 'RSA of 1024 bits',
    files: () => alone({ key: rsaKey(1024) }),
    kind: 'CannotSign',
    says: 'The RSA key has 1024 bits',
  },
  {
    name: 'RSA with e = 3',
    files: () => alone({ key: rsaKey(2048, 'rsa_keygen_pubexp:3') }),
    kind: 'CannotSign',
    says: 'exponent of the RSA key is 3',
  },
  {
    name: 'a root above it of RSA 1024',
    files: () => under({}, makeAuthority({ subject: '/CN=tiny', key: rsaKey(1024) })),
    kind: 'CannotSign',
    says: '"CN=tiny" has an RSA key of 1024 bits',
  },
  {
    name: 'explicit EC parameters',
    files: () => alone({ key: [...ecKey, '-pkeyopt', 'ec_param_enc:explicit'] }),
    kind: 'Invalid',
    says: 'explicit parameters are refused',
  },
  {
    name: 'a curve that is not supported',
    files: () => alone({ key: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'] }),
    kind: 'Invalid',
    says: 'P-256, P-384 and P-521 are supported',
  },
  {
    name: 'Ed448',
    files: () => alone({ key: ['-algorithm', 'ED448'] }),
    kind: 'Invalid',
    says: 'RSA, EC and Ed25519 keys are supported',
  },
  {
    name: 'a wrong passphrase',
    files: () => ({ ...ca, key: encrypted(), passphrases: ['wrong'] }),
    kind: 'PassphraseWrong',
    says: 'does not open the private key',
  },
  {
    name: 'no passphrase',
    files: () => ({ ...ca, key: encrypted() }),
    kind: 'PassphraseMissing',
    says: 'no passphrase is given',
  },
  {
    name: 'an encryption that is not supported',
    files: () => ({
      ...ca,
      key: openssl(
        [
          'pkcs8',
          '-topk8',
          '-provider',
          'default',
          '-provider',
          'legacy',
          '-v1',
          'PBE-SHA1-RC2-40',
          '-passout',
          'pass:right',
        ],
        ca.key,
      ),
      passphrases: ['right'],
    }),
    kind: 'Invalid',
    says: 'the scheme PBE-SHA1-RC2-40',
  },
  {
    name: 'a certificate in place of the key',
    files: () => ({ ...ca, key: ca.certificate }),
    kind: 'Invalid',
    says: 'holds no PEM private key',
  },
  {
    name: 'a key in place of the certificate',
    files: () => ({ certificate: ca.key, key: ca.key }),
    kind: 'Invalid',
    says: 'The certificate cannot be read: it holds no PEM certificate',
  },
  {
    name: 'a cut certificate',
    files: () => ({ ...ca, certificate: ca.certificate.slice(0, 300) }),
    kind: 'Invalid',
    says: 'has no END line',
  },
  {
    name: 'a chain that is no PEM',
    files: () => ({ ...ca, chain: ca.certificate.replace('MII', '*II') }),
    kind: 'Invalid',
    says: 'The chain cannot be read',
  },
  {
    name: 'bytes in a PEM block that are no certificate',
    files: () => ({ ...ca, certificate: '-----BEGIN CERTIFICATE-----\nMAUCAQECAQI=\n-----END CERTIFICATE-----\n' }),
    kind: 'Invalid',
    says: 'Certificate 1 of the text: The certificate cannot be read',
  },
  {
    name: 'the trusted form of openssl',
    files: () => ({ ...ca, certificate: openssl(['x509', '-trustout'], ca.certificate) }),
    kind: 'Invalid',
    says: 'convert it with "openssl x509',
  },
]

/** A leaf under it is judged by ourselves and by openssl. */
const signsFor = async ({ certificate, pkcs8, chain, trust }: ImportedAuthority): Promise<void> => {
  const above = chain.length === 0 ? [] : [...chain.slice(1), ...trust.slice(0, 1)]
  const signer = await createSigner(crypto, { pkcs8, certificate: certificate.der, chain: above })
  const { spki } = await generate()
  const plan = leafPlan({
    signer,
    subject: emptyName,
    names: [{ type: 'DNS', value: 'orders.data.svc' }],
    ...usagesOf('Server', [], p256),
    spki,
    duration: 90 * day,
    now: present,
    serialNumber: randomSerial(),
  })
  const leaf = (await issueCertificate(plan, signer)).der
  const [parsed, others, roots] = [parseCertificate(leaf), chain.map(parseCertificate), trust.map(parseCertificate)]
  expect(chainProblems(parsed, others, roots, present)).toEqual([])
  using folder = pemFolder()
  const untrusted = chain.length === 0 ? [] : ['-untrusted', folder.write('chain.pem', 'CERTIFICATE', ...chain)]
  const trusted = folder.write('roots.pem', 'CERTIFICATE', ...trust)
  const at = ['-attime', String(present / 1000)]
  const file = folder.write('leaf.pem', 'CERTIFICATE', leaf)
  expect(openssl(['verify', ...at, '-CAfile', trusted, ...untrusted, file])).toContain('OK')
}

describe.skipIf(opensslVersion === undefined)('a CA that is brought along', () => {
  test.each(usable)('is used: $name', async ({ files, chain, trust = 1, warns }) => {
    const verdict = await judge(files())
    if (verdict.state !== 'usable') throw new Error(verdict.problems.join(' '))
    const { authority } = verdict
    expect(authority.chain).toHaveLength(chain)
    expect(authority.trust).toHaveLength(trust)
    expect(authority.warnings.join(' ')).toContain(warns ?? '')
    if (warns === undefined) expect(authority.warnings).toEqual([])
    await signsFor(authority)
  })

  test.each(refused)('is refused: $name', async ({ files, kind, says }) => {
    const verdict = await judge(files())
    if (verdict.state !== 'refused') throw new Error('it is used')
    expect(verdict.problems.join(' ')).toContain(says)
    expect(verdict.kind).toBe(kind)
    for (const problem of verdict.problems) expect(problem).toMatch(/^[A-Z"].*\.$/s)
  })

  test('never says a byte of a key or a passphrase', async () => {
    const secrets = /[A-Za-z0-9+/]{40}|right/
    for (const { files } of refused) {
      const verdict = await judge(files())
      expect(verdict.state === 'refused' ? verdict.problems.join(' ') : '').not.toMatch(secrets)
    }
  })
})
