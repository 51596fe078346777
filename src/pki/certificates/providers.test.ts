/**
 * The WebCrypto that is handed in is the only one that is used, and nothing relies on what one provider does beyond the
 * standard: the platform's and @peculiar/webcrypto give the same results, and openssl is the judge of both.
 */

import { Crypto as PeculiarCrypto } from '@peculiar/webcrypto'
import { createHash, type webcrypto } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { issueCertificate } from './certificate.ts'
import { octetString, readOnly, sequence } from '../encoding/der.ts'
import { decryptPrivateKey, generateKeyPair, type KeyPair, type WebCrypto } from '../keys/keys.ts'
import { decryptPbes2, encryptPbes2, readAlgorithm, readPbes2 } from '../keys/pbes2.ts'
import { encodePem } from '../encoding/pem.ts'
import { createSigner, type Signer } from './signer.ts'
import {
  algorithms,
  generate,
  makeRoot,
  nameOf,
  now,
  openssl,
  opensslVersion,
  pemFolder,
  planLeaf,
  take,
} from '../testing.ts'

const providers: ReadonlyMap<string, WebCrypto> = new Map([
  ['the platform', crypto],
  ['@peculiar/webcrypto', new PeculiarCrypto() as unknown as WebCrypto],
])
const providerNames = [...providers.keys()]
const algorithmNames = algorithms.map(nameOf)

const keys = new Map<string, KeyPair>()
let leafKey: KeyPair

beforeAll(async () => {
  leafKey = await generate()
  for (const [provider, webCrypto] of providers)
    for (const algorithm of algorithms)
      keys.set(`${provider} ${nameOf(algorithm)}`, await generateKeyPair(webCrypto, algorithm))
}, 120_000)

describe.each(providerNames)('a CA key made by %s', (maker) => {
  const rows = providerNames.flatMap((signing) => algorithmNames.map((name) => [name, signing] as const))

  test.skipIf(opensslVersion === undefined).each(rows)(
    'of %s signs a leaf through %s that openssl verifies',
    async (name, signing) => {
      using folder = pemFolder()
      const { certificate, signer } = await makeRoot({
        key: take(keys, `${maker} ${name}`),
        provider: take(providers, signing),
        pathLength: 0,
      })
      const leaf = (await issueCertificate(planLeaf(signer, leafKey), signer)).der
      const files = {
        root: folder.write('root.pem', 'CERTIFICATE', certificate),
        leaf: folder.write('leaf.pem', 'CERTIFICATE', leaf),
      }
      const strictly = ['-x509_strict', '-check_ss_sig', '-purpose', 'sslserver', '-attime', String(now / 1000 + 60)]
      expect(openssl(['verify', ...strictly, '-CAfile', files.root, files.leaf])).toBe(`${files.leaf}: OK\n`)
    },
  )

  // ECDSA draws a number for each signature: no two are alike.
  test.each(algorithmNames.filter((name) => !name.startsWith('ECDSA')))(
    'of %s signs the same bytes through every provider',
    async (name) => {
      const key = take(keys, `${maker} ${name}`)
      const { certificate } = await makeRoot({ key, provider: take(providers, maker), pathLength: 0 })
      const signers: Signer[] = []
      for (const webCrypto of providers.values())
        signers.push(await createSigner(webCrypto, { pkcs8: key.pkcs8, certificate }))
      const tbs = createHash('sha256').update(certificate).digest()
      const [first, ...others] = await Promise.all(signers.map(async (signer) => signer.sign(tbs)))
      for (const other of others) expect(other).toEqual(first)
    },
  )
})

const salt = Buffer.alloc(16, 1)
const iv = Buffer.alloc(16, 2)
const parameters = { salt, iv, iterations: 1000 }

/** PBKDF2 with HMAC-SHA256, AES-256-CBC, in the words of WebCrypto. */
const keyOver = async ({ subtle }: WebCrypto, password: string): Promise<webcrypto.CryptoKey> => {
  const base = await subtle.importKey('raw', Buffer.from(password, 'utf8'), 'PBKDF2', false, ['deriveKey'])
  const derivation = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: parameters.iterations }
  return subtle.deriveKey(derivation, base, { name: 'AES-CBC', length: 256 }, false, ['encrypt', 'decrypt'])
}

describe.each([...providers])('PBES2 beside %s', (_, webCrypto) => {
  const { subtle } = webCrypto

  test('writes the same ciphertext for the same salt and IV', async () => {
    const { ciphertext } = await encryptPbes2(leafKey.pkcs8, 'correct hörse', parameters)
    const key = await keyOver(webCrypto, 'correct hörse')
    const theirs = await subtle.encrypt({ name: 'AES-CBC', iv }, key, Buffer.from(leafKey.pkcs8))
    expect(Buffer.from(ciphertext).toString('hex')).toBe(Buffer.from(theirs).toString('hex'))
  })

  test('is opened, and does not open what has another password', async () => {
    const { algorithm, ciphertext } = await encryptPbes2(leafKey.pkcs8, 'secret', parameters)
    const opened = await subtle.decrypt(
      { name: 'AES-CBC', iv },
      await keyOver(webCrypto, 'secret'),
      Buffer.from(ciphertext),
    )
    expect(Buffer.from(opened).equals(leafKey.pkcs8)).toBe(true)
    const read = readPbes2(readAlgorithm(readOnly(algorithm))[1])
    const other = await subtle.encrypt(
      { name: 'AES-CBC', iv },
      await keyOver(webCrypto, 'other'),
      Buffer.from(leafKey.pkcs8),
    )
    expect(await decryptPbes2(read, new Uint8Array(other), 'secret')).not.toEqual(leafKey.pkcs8)
    expect(Buffer.from((await decryptPbes2(read, new Uint8Array(other), 'other')) ?? []).equals(leafKey.pkcs8)).toBe(
      true,
    )
  })

  test.skipIf(opensslVersion === undefined)('makes a key that openssl and this program open', async () => {
    const { algorithm } = await encryptPbes2(leafKey.pkcs8, 'secret', parameters)
    const key = await keyOver(webCrypto, 'secret')
    const theirs = await subtle.encrypt({ name: 'AES-CBC', iv }, key, Buffer.from(leafKey.pkcs8))
    const der = sequence(algorithm, octetString(new Uint8Array(theirs)))
    expect(await decryptPrivateKey(der, 'secret')).toEqual(leafKey.pkcs8)
    const opened = openssl(['pkey', '-passin', 'pass:secret'], encodePem('ENCRYPTED PRIVATE KEY', der))
    expect(opened).toBe(encodePem('PRIVATE KEY', leafKey.pkcs8))
  })
})
