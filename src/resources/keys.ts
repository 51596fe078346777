/** Private keys: algorithm, size, form. */
import { z } from 'zod'
import type { KeyAlgorithm } from '../pki/plan.ts'
import { rule } from './rule.ts'

interface PrivateKeyValue {
  algorithm: string
  size?: number
  encoding?: string
}

const sizes: Readonly<Record<string, readonly number[]>> = {
  RSA: [2048, 3072, 4096],
  ECDSA: [256, 384, 521],
  Ed25519: [],
}

/** Rules of every private key: a size of its algorithm. */
export const keySizeRule = rule<PrivateKeyValue>({
  rule: "!has(self.size) || (self.algorithm == 'RSA' ? self.size in [2048, 3072, 4096] : self.algorithm == 'ECDSA' && self.size in [256, 384, 521])",
  message: 'must be 2048, 3072 or 4096 for RSA and 256, 384 or 521 for ECDSA; leave it out for Ed25519',
  fieldPath: '.size',
  holds: ({ algorithm, size }) => size === undefined || (sizes[algorithm]?.includes(size) ?? false),
})

export const keyEncodingRule = rule<PrivateKeyValue>({
  rule: "!has(self.encoding) || self.encoding == 'PKCS8' || (self.encoding == 'PKCS1' && self.algorithm == 'RSA') || (self.encoding == 'SEC1' && self.algorithm == 'ECDSA')",
  message: 'PKCS1 is a form of RSA keys and SEC1 of ECDSA keys; use PKCS8, which fits every algorithm',
  fieldPath: '.encoding',
  holds: ({ algorithm, encoding }) => encoding === undefined || encodingFits(encoding, algorithm),
})

export const encodingFits = (encoding: string, algorithm: string): boolean =>
  encoding === 'PKCS8' || (encoding === 'PKCS1' ? algorithm === 'RSA' : algorithm === 'ECDSA')

export const keyAlgorithms = ['RSA', 'ECDSA', 'Ed25519'] as const
export const keyEncodings = ['PKCS8', 'PKCS1', 'SEC1'] as const

export const keyAlgorithm = z.enum(keyAlgorithms).default('ECDSA').meta({ description: 'Algorithm of the key.' })
export const keySize = z
  .int()
  .min(256)
  .max(4096)
  .optional()
  .meta({ description: 'RSA: 2048, 3072 or 4096 bits (default 2048). ECDSA: 256, 384 or 521 (default 256).' })

/** The key a spec asks for, with the size its algorithm has by default. */
export const keyAlgorithmOf = (key: {
  algorithm: (typeof keyAlgorithms)[number]
  size?: number | undefined
}): KeyAlgorithm => {
  if (key.algorithm === 'Ed25519') return { algorithm: 'Ed25519' }
  const size = key.size ?? (key.algorithm === 'RSA' ? 2048 : 256)
  return { algorithm: key.algorithm, size } as KeyAlgorithm
}

export const privateKey = z
  .object({
    algorithm: keyAlgorithm,
    size: keySize,
    encoding: z
      .enum(keyEncodings)
      .default('PKCS8')
      .meta({ description: 'Form in which the key is written. PKCS1 is for RSA, SEC1 for ECDSA.' }),
    rotation: z
      .enum(['Always', 'Never'])
      .default('Always')
      .meta({ description: 'Whether a renewal makes a new key. A changed algorithm or size always does.' }),
  })
  .meta({ description: 'The private key.', rules: [keySizeRule, keyEncodingRule] })
export type PrivateKey = z.output<typeof privateKey>
