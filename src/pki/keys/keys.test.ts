import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { DerError, integer, nullValue, octetString, oid, sequence } from '../encoding/der.ts'
import {
  algorithmOfSpki,
  decodePrivateKey,
  decryptPrivateKey,
  encodePrivateKey,
  encryptPrivateKey,
  KeyError,
  type KeyPair,
  type PrivateKeyEncoding,
  spkiOf,
  subjectKeyId,
  WrongPassphrase,
} from './keys.ts'
import { encodePem } from '../encoding/pem.ts'
import { algorithms, generate, nameOf, openssl, opensslBytes, opensslVersion, p256 } from '../testing.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const keys = new Map<string, KeyPair>()

const keyOf = (name: string): KeyPair => {
  const key = keys.get(name)
  if (key === undefined) throw new Error(`no key ${name}`)
  return key
}

beforeAll(async () => {
  for (const algorithm of algorithms) keys.set(nameOf(algorithm), await generate(algorithm))
}, 60_000)

describe.each(algorithms.map((algorithm) => [nameOf(algorithm), algorithm] as const))('%s', (name, algorithm) => {
  const encodings: readonly PrivateKeyEncoding[] =
    algorithm.algorithm === 'RSA' ? ['PKCS8', 'PKCS1'] : algorithm.algorithm === 'ECDSA' ? ['PKCS8', 'SEC1'] : ['PKCS8']

  test('tells its algorithm and its public key', () => {
    const { pkcs8, spki } = keyOf(name)
    expect(algorithmOfSpki(spki)).toEqual(algorithm)
    expect(hex(spkiOf(pkcs8))).toBe(hex(spki))
    // Of a copy nothing is remembered: OpenSSL derives it.
    expect(hex(spkiOf(Uint8Array.from(pkcs8)))).toBe(hex(spki))
  })

  test.each(encodings)('comes back from %s, as PEM and as DER', (encoding) => {
    const { pkcs8 } = keyOf(name)
    const { der, label } = encodePrivateKey(pkcs8, encoding)
    expect(hex(decodePrivateKey(der))).toBe(hex(pkcs8))
    expect(hex(decodePrivateKey(encodePem(label, der)))).toBe(hex(pkcs8))
  })

  test.each((['PKCS1', 'SEC1'] as const).filter((encoding) => !encodings.includes(encoding)))(
    'is refused in %s with a sentence',
    (encoding) => {
      expect(() => encodePrivateKey(keyOf(name).pkcs8, encoding)).toThrow(KeyError)
      expect(() => encodePrivateKey(keyOf(name).pkcs8, encoding)).toThrow(/only; use PKCS8/)
    },
  )

  test('comes back from encryption', async () => {
    const { pkcs8 } = keyOf(name)
    const parameters = { salt: new Uint8Array(16).fill(1), iv: new Uint8Array(16).fill(2), iterations: 1000 }
    const encrypted = await encryptPrivateKey(pkcs8, 'correct hörse', parameters)
    expect(hex(await decryptPrivateKey(encrypted, 'correct hörse'))).toBe(hex(pkcs8))
    await expect(decryptPrivateKey(encrypted, 'wrong')).rejects.toThrow(WrongPassphrase)
  })

  test.skipIf(opensslVersion === undefined)('is read by openssl in every encoding, with the same public key', () => {
    const { pkcs8, spki } = keyOf(name)
    for (const encoding of encodings) {
      const { der, label } = encodePrivateKey(pkcs8, encoding)
      const publicKey = opensslBytes(['pkey', '-pubout', '-outform', 'DER'], Buffer.from(encodePem(label, der)))
      expect([encoding, hex(publicKey)]).toEqual([encoding, hex(spki)])
    }
  })

  test.skipIf(opensslVersion === undefined)('is written in the traditional encoding as openssl writes it', () => {
    const { pkcs8 } = keyOf(name)
    for (const encoding of encodings.filter((other) => other !== 'PKCS8')) {
      const { der, label } = encodePrivateKey(pkcs8, encoding)
      const written = openssl(['pkey', '-traditional'], encodePem('PRIVATE KEY', pkcs8))
      expect(written).toContain(encodePem(label, der))
    }
  })

  test.skipIf(opensslVersion === undefined)('goes to openssl and back under a passphrase', async () => {
    const { pkcs8 } = keyOf(name)
    const parameters = { salt: new Uint8Array(16).fill(3), iv: new Uint8Array(16).fill(4), iterations: 1000 }
    const ours = await encryptPrivateKey(pkcs8, 'secret', parameters)
    const opened = openssl(['pkey', '-passin', 'pass:secret'], encodePem('ENCRYPTED PRIVATE KEY', ours))
    expect(hex(decodePrivateKey(opened))).toBe(hex(pkcs8))
    for (const choice of [
      ['-v2', 'aes-256-cbc'],
      ['-v2', 'aes-128-cbc', '-v2prf', 'hmacWithSHA1'],
      ['-v2', 'des3'],
    ]) {
      const theirs = opensslBytes(
        ['pkcs8', '-topk8', ...choice, '-passout', 'pass:secret', '-outform', 'DER'],
        Buffer.from(encodePem('PRIVATE KEY', pkcs8)),
      )
      expect(hex(await decryptPrivateKey(theirs, 'secret'))).toBe(hex(pkcs8))
    }
  })
})

describe('a private key', () => {
  test('in SEC1 without its public key gets it back', () => {
    const { pkcs8 } = keyOf('ECDSA-256')
    const scalar = Buffer.from(
      createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }).export({ format: 'jwk' }).d ?? '',
      'base64url',
    )
    const bare = sequence(integer(1), octetString(scalar), Uint8Array.from([0xa0, 10, ...oid('1.2.840.10045.3.1.7')]))
    expect(hex(decodePrivateKey(bare))).toBe(hex(pkcs8))
  })

  test('in SEC1 without its leading zeros gets them back', () => {
    const short = sequence(
      integer(1),
      octetString(Uint8Array.of(7)),
      Uint8Array.from([0xa0, 10, ...oid('1.2.840.10045.3.1.7')]),
    )
    const pkcs8 = decodePrivateKey(short)
    expect(hex(pkcs8)).toContain(`0420${'00'.repeat(31)}07`)
    expect(algorithmOfSpki(spkiOf(pkcs8))).toEqual(p256)
  })

  test('with EC PARAMETERS before it is read, as openssl ecparam -genkey writes it', () => {
    const { der, label } = encodePrivateKey(keyOf('ECDSA-256').pkcs8, 'SEC1')
    const text = encodePem('EC PARAMETERS', oid('1.2.840.10045.3.1.7')) + encodePem(label, der)
    expect(hex(decodePrivateKey(text))).toBe(hex(keyOf('ECDSA-256').pkcs8))
  })

  const explicit = (): Uint8Array =>
    new Uint8Array(
      generateKeyPairSync('ec', {
        namedCurve: 'P-256',
        paramEncoding: 'explicit',
        privateKeyEncoding: { type: 'pkcs8', format: 'der' },
        publicKeyEncoding: { type: 'spki', format: 'der' },
      }).privateKey,
    )

  test.each<[string, () => string | Uint8Array, string]>([
    ['no PEM', () => 'nothing', 'no PEM private key'],
    ['two keys', () => encodePem('PRIVATE KEY', keyOf('Ed25519').pkcs8).repeat(2), 'more than one'],
    [
      'an encrypted key',
      () => sequence(sequence(oid('1.2.3'), nullValue), octetString(new Uint8Array(8))),
      'encrypted',
    ],
    [
      'the traditional encrypted form',
      () => '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n',
      'headers',
    ],
    ['explicit curve parameters', explicit, 'explicit parameters'],
    [
      'another curve',
      () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
      'P-256, P-384 and P-521',
    ],
    [
      'another algorithm',
      () => generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
      '1.3.101.110',
    ],
    ['DER that is cut', () => keyOf('ECDSA-256').pkcs8.subarray(0, 40), 'cut off'],
    ['bytes behind it', () => Buffer.concat([keyOf('ECDSA-256').pkcs8, Buffer.from([0])]), 'bytes follow'],
    ['nothing', () => new Uint8Array(), 'ends before'],
  ])('is refused: %s', (_, key, message) => {
    expect(() => decodePrivateKey(key())).toThrow(KeyError)
    expect(() => decodePrivateKey(key())).toThrow(message)
  })

  test('never shows in the message of a refusal', () => {
    const { pkcs8 } = keyOf('ECDSA-256')
    for (let cut = 0; cut < pkcs8.length; cut += 1) {
      const broken = Buffer.from(pkcs8)
      broken[cut] = (broken[cut] ?? 0) ^ 0xff
      try {
        decodePrivateKey(broken)
      } catch (error) {
        expect(error).toBeInstanceOf(KeyError)
        expect(String(error)).not.toMatch(/[0-9a-f]{16}/i)
      }
    }
  })
})

describe('an encrypted key', () => {
  const good = { salt: new Uint8Array(16), iv: new Uint8Array(16), iterations: 10 }

  test('that asks for too much work is refused before any is done', async () => {
    const parameters = sequence(
      octetString(good.salt),
      integer(0x7fffff),
      sequence(oid('1.2.840.113549.2.9'), nullValue),
    )
    const kdf = sequence(oid('1.2.840.113549.1.5.12'), parameters)
    const scheme = sequence(kdf, sequence(oid('2.16.840.1.101.3.4.1.42'), octetString(good.iv)))
    const costly = sequence(sequence(oid('1.2.840.113549.1.5.13'), scheme), octetString(new Uint8Array(64)))
    await expect(decryptPrivateKey(costly, 'secret')).rejects.toThrow('8388607 iterations; at most 5000000')
  })

  test.each([
    ['a short salt', { ...good, salt: new Uint8Array(7) }],
    ['a short IV', { ...good, iv: new Uint8Array(15) }],
    ['no iterations', { ...good, iterations: 0 }],
    ['too many iterations', { ...good, iterations: 5_000_001 }],
  ])('is not made with %s', async (_, parameters) => {
    await expect(encryptPrivateKey(keyOf('Ed25519').pkcs8, 'secret', parameters)).rejects.toThrow(KeyError)
  })

  test.each([
    ['nothing', new Uint8Array()],
    ['PBES1', sequence(sequence(oid('1.2.840.113549.1.5.3'), sequence()), octetString(new Uint8Array(8)))],
    ['a plain key', sequence(integer(0))],
  ])('is refused when it is %s', async (_, der) => {
    const refusal = decryptPrivateKey(der, 'secret')
    await expect(refusal).rejects.toThrow(KeyError)
    await expect(refusal).rejects.not.toThrow(WrongPassphrase)
  })
})

describe('a public key', () => {
  test.each([
    ['RSA of 1024 bits', () => generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey],
    ['RSA with e = 3', () => generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).publicKey],
    ['RSA-PSS', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey],
    ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey],
    [
      'explicit parameters',
      () => generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).publicKey,
    ],
    ['X25519', () => generateKeyPairSync('x25519').publicKey],
  ])('of %s has no algorithm here', (_, make) => {
    expect(algorithmOfSpki(new Uint8Array(make().export({ type: 'spki', format: 'der' })))).toBeUndefined()
  })

  test.each(['', '3000', '30023000', '300506032a0304'])('is not %j', (encoded) =>
    expect(() => algorithmOfSpki(Buffer.from(encoded, 'hex'))).toThrow(DerError),
  )

  test('has the key identifier of RFC 5280, method 1', () => {
    const { spki } = keyOf('ECDSA-256')
    const point = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({ format: 'jwk' })
    const bits = Buffer.concat([
      Buffer.from([4]),
      Buffer.from(point.x ?? '', 'base64url'),
      Buffer.from(point.y ?? '', 'base64url'),
    ])
    expect(hex(subjectKeyId(spki))).toBe(createHash('sha1').update(bits).digest('hex'))
  })

  test('generated twice differs', async () => {
    const [a, b] = [await generate(p256), await generate(p256)]
    expect(hex(a.spki)).not.toBe(hex(b.spki))
  })
})
