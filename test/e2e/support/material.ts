/**
 * Judges the contents of one Secret as its reader would: PEM by Node's OpenSSL, which had no part in making it, stores
 * by their readers. Every item must be of one generation.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readJks } from '../../../src/material/jks.ts'
import type { Keystore } from '../../../src/material/keystore.ts'
import { readPkcs12 } from '../../../src/material/pkcs12-reader.ts'
import type { SecretThing } from './api.ts'
import { bytesOf, textOf } from './api.ts'

export const certificatesIn = (pem: string): X509Certificate[] =>
  [...pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].map(
    ([one]) => new X509Certificate(one),
  )

/** Of tls.crt; throws where there is none. */
export const leafOf = (secret: SecretThing): X509Certificate => {
  const [leaf] = certificatesIn(textOf(secret, 'tls.crt'))
  if (leaf === undefined) throw new Error(`Secret ${secret.metadata.name} holds no certificate in tls.crt`)
  return leaf
}

export const serialOf = (secret: SecretThing): string => leafOf(secret).serialNumber

/** Walks from the leaf to a root by signature; a sentence where that fails. */
const chainProblem = (chain: readonly X509Certificate[], roots: readonly X509Certificate[]): string | undefined => {
  let [at] = chain
  for (let steps = 0; at !== undefined && steps < 8; steps += 1) {
    const child: X509Certificate = at
    if (roots.some((root) => child.checkIssued(root) && child.verify(root.publicKey))) return undefined
    at = chain.find((one) => one !== child && child.checkIssued(one) && child.verify(one.publicKey))
  }
  return 'tls.crt does not lead to a root of ca.crt'
}

const storeProblems = (name: string, store: Keystore, leaf: X509Certificate, roots: readonly X509Certificate[]) => {
  const problems: string[] = []
  for (const { pkcs8, chain } of store.keys) {
    if (!leaf.raw.equals(chain[0] ?? new Uint8Array())) problems.push(`${name} holds another certificate than tls.crt`)
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
    if (!leaf.checkPrivateKey(key)) problems.push(`${name} holds another key than tls.crt`)
  }
  const trusted = store.trusted.map((entry) => Buffer.from(entry.certificate))
  const same = trusted.length === roots.length && roots.every(({ raw }) => trusted.some((der) => der.equals(raw)))
  if (store.keys.length === 0 && !same) problems.push(`${name} does not trust what ca.crt trusts`)
  return problems
}

/** Sentences; none means that a consumer that reads this version finds one whole generation, valid at `now` (ms). */
export const problemsOf = async (secret: SecretThing, password: string | undefined, now: number): Promise<string[]> => {
  const problems: string[] = []
  const leaf = leafOf(secret)
  const roots = certificatesIn(textOf(secret, 'ca.crt'))
  if (!leaf.checkPrivateKey(createPrivateKey(textOf(secret, 'tls.key'))))
    problems.push('tls.key is not that of tls.crt')
  const chain = chainProblem(certificatesIn(textOf(secret, 'tls.crt')), roots)
  if (chain !== undefined) problems.push(chain)
  if (Date.parse(leaf.validTo) + 1000 <= now) problems.push(`the certificate ended at ${leaf.validTo}`)
  if (secret.metadata.annotations?.['dbtls.dev/serial-number'] !== leaf.serialNumber)
    problems.push('the serial number of the annotation is not that of the certificate')
  const word = secret.data?.['password'] === undefined ? password : textOf(secret, 'password')
  for (const key of Object.keys(secret.data ?? {})) {
    if (word === undefined || !/\.(p12|jks)$/.test(key)) continue
    const store = key.endsWith('.jks')
      ? readJks(bytesOf(secret, key), word)
      : await readPkcs12(bytesOf(secret, key), word)
    problems.push(...storeProblems(key, store, leaf, roots))
  }
  return problems
}
