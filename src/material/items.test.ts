import { describe, expect, test } from 'vitest'
import type { OutputItem } from './content-table.ts'
import type { Available } from './items.ts'
import { itemProblems } from './items.ts'

const settings = { encoding: 'PKCS8', pkcs12Profile: 'Modern2023' } as const
const ecdsa: Available = { privateKey: true, keyAlgorithm: 'ECDSA' }

describe('items without problems', () => {
  test.each<[string, OutputItem[], Available]>([
    [
      'the usual three',
      [
        { key: 'tls.crt', content: 'CertificateChain' },
        { key: 'tls.key', content: 'PrivateKey' },
        { key: 'ca.crt', content: 'TrustBundle' },
      ],
      ecdsa,
    ],
    ['SEC1 for an EC key', [{ key: 'k', content: 'PrivateKey', encoding: 'SEC1' }], ecdsa],
    [
      'PKCS1 for an RSA key',
      [{ key: 'k', content: 'PrivateKeyDER', encoding: 'PKCS1' }],
      { ...ecdsa, keyAlgorithm: 'RSA' },
    ],
    ['an encoding where none counts', [{ key: 'c', content: 'Certificate', encoding: 'PKCS1' }], ecdsa],
    ['no key wanted and none there', [{ key: 'c', content: 'PKCS12Truststore' }], { ...ecdsa, privateKey: false }],
    ['a CA key whose algorithm is not known', [{ key: 'k', content: 'AuthorityPrivateKey', encoding: 'PKCS1' }], ecdsa],
    [
      'aliases equal in two stores',
      [
        { key: 'a', content: 'PKCS12Keystore', alias: 'x' },
        { key: 'b', content: 'JKSKeystore', alias: 'x' },
      ],
      ecdsa,
    ],
    ['the key __proto__', [{ key: '__proto__', content: 'Certificate' }], ecdsa],
  ])('%s', (_, items, have) => {
    expect(itemProblems(items, have, settings)).toEqual([])
  })
})

describe('a problem names the item and the field:', () => {
  const key = 'k'
  test.each<[string, OutputItem[], Partial<Available>, RegExp]>([
    [
      'a key used twice',
      [
        { key, content: 'Certificate' },
        { key, content: 'PrivateKey' },
      ],
      {},
      /^items\[1\]\.key: "k" is the key of items\[0\]/,
    ],
    [
      'SEC1 for RSA',
      [{ key, content: 'PrivateKey', encoding: 'SEC1' }],
      { keyAlgorithm: 'RSA' },
      /^items\[0\]\.encoding: SEC1 .* RSA .* PKCS8 or PKCS1/,
    ],
    [
      'PKCS1 for ECDSA',
      [{ key, content: 'KeyThenChain', encoding: 'PKCS1' }],
      {},
      /^items\[0\]\.encoding: PKCS1 .* ECDSA .* PKCS8 or SEC1/,
    ],
    [
      'SEC1 for Ed25519',
      [{ key, content: 'ChainThenKey', encoding: 'SEC1' }],
      { keyAlgorithm: 'Ed25519' },
      /use PKCS8\.$/,
    ],
    [
      'SEC1 for an RSA CA',
      [{ key, content: 'AuthorityPrivateKey', encoding: 'SEC1' }],
      { authorityKeyAlgorithm: 'RSA' },
      /^items\[0\]\.encoding: SEC1/,
    ],
    [
      'an alias outside of ASCII',
      [{ key, content: 'JKSKeystore', alias: 'schlüssel' }],
      {},
      /^items\[0\]\.alias: "schlüssel" .* ASCII/,
    ],
    ['an empty alias', [{ key, content: 'PKCS12Truststore', alias: '' }], {}, /^items\[0\]\.alias: .* empty/],
    [
      'a key that is not ours',
      [{ key, content: 'PKCS12Keystore' }],
      { privateKey: false },
      /^items\[0\]\.content: PKCS12Keystore needs the private key/,
    ],
    [
      'an unknown content',
      [{ key, content: 'constructor' as 'Certificate' }],
      {},
      /^items\[0\]\.content: "constructor"/,
    ],
  ])('%s', (_, items, have, wanted) => {
    const problems = itemProblems(items, { ...ecdsa, ...have }, settings)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(wanted)
  })

  test('the encoding of the certificate counts where an item has none', () => {
    const rsa: Available = { privateKey: true, keyAlgorithm: 'RSA' }
    const items: OutputItem[] = [
      { key: 'k', content: 'PrivateKey' },
      { key: 'own', content: 'PrivateKey', encoding: 'PKCS8' },
    ]
    expect(itemProblems(items, rsa, { ...settings, encoding: 'SEC1' })).toEqual([
      'items[0].encoding: SEC1 cannot hold an RSA key; use PKCS8 or PKCS1.',
    ])
  })
})
