import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { children, concat, integer, octetString, oid, readOnly, sequence, Tag } from '../encoding/der.ts'
import { importPrivateKey, PassphraseMissing } from './key.ts'
import { encodePrivateKey, KeyError, WrongPassphrase } from '../keys/keys.ts'
import { encodePem } from '../encoding/pem.ts'
import { generate, openssl, opensslVersion, p256, pemFolder } from '../testing.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const hex = (der: Uint8Array): string => Buffer.from(der).toString('hex')

/** One plain key for all, and what openssl makes of it. */
const converted = (args: readonly string[], key: string, legacy = true): Uint8Array => {
  const providers = legacy ? ['-provider', 'default', '-provider', 'legacy'] : []
  const [command = '', ...rest] = args
  return bytes(openssl([command, ...providers, ...rest], key))
}

const rsa = await generate({ algorithm: 'RSA', size: 2048 })
const ec = await generate(p256)
const ed = await generate({ algorithm: 'Ed25519' })
const pemOf = ({ pkcs8 }: { readonly pkcs8: Uint8Array }): string => encodePem('PRIVATE KEY', pkcs8)
const secret = 'pässwörd'

const pkcs8 = (...args: string[]): string[] => ['pkcs8', '-topk8', '-passout', `pass:${secret}`, ...args]
const traditional = (command: 'rsa' | 'ec', cipher: string): string[] => [
  command,
  ...(command === 'rsa' ? ['-traditional'] : []),
  `-${cipher}`,
  '-passout',
  `pass:${secret}`,
]

describe.skipIf(opensslVersion === undefined)('a private key that openssl wrote', () => {
  test.each([
    ['PKCS#8, RSA', rsa, ['pkcs8', '-topk8', '-nocrypt']],
    ['PKCS#8, EC', ec, ['pkcs8', '-topk8', '-nocrypt']],
    ['PKCS#8, Ed25519', ed, ['pkcs8', '-topk8', '-nocrypt']],
    ['PKCS#1', rsa, ['rsa', '-traditional']],
    ['SEC1', ec, ['ec']],
    ['SEC1 without its public half', ec, ['ec', '-no_public']],
  ])('is read: %s', async (_, pair, args) => {
    const imported = await importPrivateKey(converted(args, pemOf(pair)), [])
    expect(hex(imported.spki)).toBe(hex(pair.spki))
    expect(imported.encrypted).toBe(false)
  })

  test.each([
    ['PBES2, the default', rsa, pkcs8()],
    ['PBES2, AES-128', ec, pkcs8('-v2', 'aes128')],
    ['PBES2, AES-192, HMAC-SHA512', ec, pkcs8('-v2', 'aes192', '-v2prf', 'hmacWithSHA512')],
    ['PBES2, 3DES, HMAC-SHA1', ed, pkcs8('-v2', 'des3', '-v2prf', 'hmacWithSHA1')],
    ['PBES2, scrypt', ec, pkcs8('-scrypt')],
    ['PBE-MD5-DES', ec, pkcs8('-v1', 'PBE-MD5-DES')],
    ['PBE-SHA1-DES', ec, pkcs8('-v1', 'PBE-SHA1-DES')],
    ['PBE-SHA1-3DES', ec, pkcs8('-v1', 'PBE-SHA1-3DES')],
    ['PBE-SHA1-2DES', ec, pkcs8('-v1', 'PBE-SHA1-2DES')],
    ['traditional, AES-256', rsa, traditional('rsa', 'aes256')],
    ['traditional, AES-192', rsa, traditional('rsa', 'aes192')],
    ['traditional, AES-128', ec, traditional('ec', 'aes128')],
    ['traditional, 3DES', rsa, traditional('rsa', 'des3')],
    ['traditional, DES', ec, traditional('ec', 'des')],
  ])('is opened with its passphrase and with no other: %s', async (_, pair, args) => {
    const key = converted(args, pemOf(pair))
    const imported = await importPrivateKey(key, ['another', secret])
    expect(hex(imported.spki)).toBe(hex(pair.spki))
    expect(imported.encrypted).toBe(true)
    await expect(importPrivateKey(key, ['another'])).rejects.toThrow(WrongPassphrase)
    await expect(importPrivateKey(key, [])).rejects.toThrow(PassphraseMissing)
  })

  test.each([
    ['PBE-MD5-RC2-64', pkcs8('-v1', 'PBE-MD5-RC2-64'), 'the scheme PBE-MD5-RC2-64'],
    ['PBE-SHA1-RC4-128', pkcs8('-v1', 'PBE-SHA1-RC4-128'), 'the scheme PBE-SHA1-RC4-128'],
    ['PBE-SHA1-RC2-40', pkcs8('-v1', 'PBE-SHA1-RC2-40'), 'the scheme PBE-SHA1-RC2-40'],
    ['Camellia', traditional('ec', 'camellia256'), 'the cipher CAMELLIA-256-CBC'],
  ])('is refused by the name of its encryption: %s', async (_, args, what) => {
    const refusal = importPrivateKey(converted(args, pemOf(ec)), [secret])
    await expect(refusal).rejects.toThrow(`encrypted with ${what}, which is not supported; convert it with "openssl`)
    await expect(refusal).rejects.not.toThrow(WrongPassphrase)
  })

  test.each([
    [
      'explicit EC parameters',
      ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-pkeyopt', 'ec_param_enc:explicit'],
      'explicit parameters are refused',
    ],
    [
      'another curve',
      ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
      'P-256, P-384 and P-521',
    ],
    ['RSA of 1024 bits', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'], 'has 1024 bits'],
    ['e = 3', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_pubexp:3'], 'exponent of the RSA key is 3'],
    [
      'RSA-PSS',
      ['genpkey', '-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'],
      'of the type 1.2.840.113549.1.1.10',
    ],
    ['Ed448', ['genpkey', '-algorithm', 'ED448'], 'of the type 1.3.101.113'],
  ])('is refused with %s', async (_, args, message) => {
    const refusal = importPrivateKey(bytes(openssl(args)), [])
    await expect(refusal).rejects.toThrow(KeyError)
    await expect(refusal).rejects.toThrow(message)
  })

  test('is refused with explicit parameters, and not for its passphrase, when it is encrypted', async () => {
    const explicit = openssl([
      'genpkey',
      '-algorithm',
      'EC',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-pkeyopt',
      'ec_param_enc:explicit',
    ])
    await expect(importPrivateKey(converted(pkcs8(), explicit), [secret])).rejects.toThrow('explicit parameters')
  })

  test('is read behind its parameters, a certificate and text', async () => {
    using folder = pemFolder()
    const file = folder.write('ec.pem', 'PRIVATE KEY', ec.pkcs8)
    const parameters = openssl(['ecparam', '-name', 'prime256v1'])
    const text = `\uFEFF# a note: kept\r\n${parameters}${readFileSync(file, 'utf8')}`.replaceAll('\n', '\r\n')
    expect(hex((await importPrivateKey(bytes(text), [])).spki)).toBe(hex(ec.spki))
  })
})

describe('a private key', () => {
  const label = (name: string): string => pemOf(ec).replaceAll('PRIVATE KEY', name)
  test.each([
    ['nothing', '', 'no PEM private key'],
    ['a certificate alone', encodePem('CERTIFICATE', ec.spki), 'no PEM private key'],
    ['two keys', pemOf(ec) + pemOf(rsa), 'more than one private key'],
    ['a DSA key', label('DSA PRIVATE KEY'), 'is a DSA key'],
    ['an OpenSSH key', label('OPENSSH PRIVATE KEY'), 'ssh-keygen'],
    ['half a block', pemOf(ec).slice(0, 80), 'has no END line'],
    ['random bytes in a block', encodePem('PRIVATE KEY', Buffer.from('nonsense')), 'cannot be read'],
    ['headers of nothing', pemOf(ec).replace('-----\n', '-----\nComment: mine\n\n'), 'not those of an encrypted key'],
    [
      'an IV of half its length',
      pemOf(ec).replace('-----\n', '-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233\n\n'),
      'its IV has a wrong length',
    ],
  ])('is refused: %s', async (_, text, message) => {
    const refusal = importPrivateKey(bytes(text), [secret])
    await expect(refusal).rejects.toThrow(KeyError)
    await expect(refusal).rejects.toThrow(message)
  })

  test('is refused as DER, with the command that makes PEM of it', async () => {
    await expect(importPrivateKey(ec.pkcs8, [])).rejects.toThrow('openssl pkey -inform DER')
  })

  test('is refused when it asks for more work than a key is worth', async () => {
    const parameters = sequence(
      oid('1.2.840.113549.1.5.3'),
      sequence(octetString(new Uint8Array(8)), integer(2_000_000)),
    )
    const key = encodePem('ENCRYPTED PRIVATE KEY', sequence(parameters, octetString(new Uint8Array(16))))
    await expect(importPrivateKey(bytes(key), [secret])).rejects.toThrow('its number of iterations')
  })

  test('is refused with the public half of another EC key', async () => {
    const other = await generate(p256)
    const [version, scalar, curve] = children(readOnly(encodePrivateKey(ec.pkcs8, 'SEC1').der, Tag.sequence))
    const half = children(readOnly(encodePrivateKey(other.pkcs8, 'SEC1').der, Tag.sequence))[3]
    const parts = [version, scalar, curve, half].map((part) => part?.encoded ?? new Uint8Array())
    const mixed = encodePem('EC PRIVATE KEY', sequence(...parts))
    await expect(importPrivateKey(bytes(mixed), [])).rejects.toThrow('its public half belongs to another key')
  })

  test('is refused with the modulus of another RSA key', async () => {
    const other = await generate({ algorithm: 'RSA', size: 2048 })
    const parts = children(readOnly(encodePrivateKey(rsa.pkcs8, 'PKCS1').der, Tag.sequence))
    const [, modulus] = children(readOnly(encodePrivateKey(other.pkcs8, 'PKCS1').der, Tag.sequence))
    const numbers = parts.map((part, at) => (at === 1 && modulus ? modulus : part).encoded)
    const mixed = encodePem('RSA PRIVATE KEY', sequence(...numbers))
    await expect(importPrivateKey(bytes(mixed), [])).rejects.toThrow('do not belong together')
  })

  test('never says a byte of itself, wherever it is damaged', async () => {
    const der = ec.pkcs8
    await fc.assert(
      fc.asyncProperty(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const damaged = concat([der.subarray(0, at), Uint8Array.of((der[at] ?? 0) ^ change), der.subarray(at + 1)])
        const answer = await importPrivateKey(bytes(encodePem('PRIVATE KEY', damaged)), []).catch(
          (error: unknown) => error,
        )
        if (!(answer instanceof Error)) return
        expect(answer).toBeInstanceOf(KeyError)
        expect(answer.message).not.toMatch(/[0-9a-f]{16}|[A-Za-z0-9+/]{24}/)
      }),
      { numRuns: 200 },
    )
  })
})
