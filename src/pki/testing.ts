/** What the tests of this room share: keys, CAs and the openssl command line as a judge. Not imported by the program. */

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { issueCertificate } from './certificates/certificate.ts'
import { generateKeyPair, type KeyPair, type WebCrypto } from './keys/keys.ts'
import { distinguishedName } from './names/names.ts'
import { encodePem } from './encoding/pem.ts'
import type { CertificatePlan, KeyAlgorithm, NameConstraints } from './plan.ts'
import { authorityPlan, leafPlan, serialNumber, usagesOf } from './certificates/plans.ts'
import { createSigner, selfSigner, type Signer } from './certificates/signer.ts'

export const day = 24 * 3600 * 1000
export const now = Date.UTC(2026, 5, 1, 12, 0, 0)

export const algorithms: readonly KeyAlgorithm[] = [
  { algorithm: 'RSA', size: 2048 },
  { algorithm: 'RSA', size: 3072 },
  { algorithm: 'RSA', size: 4096 },
  { algorithm: 'ECDSA', size: 256 },
  { algorithm: 'ECDSA', size: 384 },
  { algorithm: 'ECDSA', size: 521 },
  { algorithm: 'Ed25519' },
]

export const nameOf = (algorithm: KeyAlgorithm): string =>
  algorithm.algorithm === 'Ed25519' ? 'Ed25519' : `${algorithm.algorithm}-${algorithm.size}`

export const p256: KeyAlgorithm = { algorithm: 'ECDSA', size: 256 }

export const generate = (algorithm: KeyAlgorithm = p256): Promise<KeyPair> => generateKeyPair(crypto, algorithm)

/** @throws Error for a name that nothing was made under. */
export const take = <T>(from: ReadonlyMap<string, T>, name: string): T => {
  const found = from.get(name)
  if (found === undefined) throw new Error(`${name} was not made`)
  return found
}

export const randomSerial = (): Uint8Array => serialNumber(crypto.getRandomValues(new Uint8Array(16)))

export interface Authority {
  readonly signer: Signer
  readonly certificate: Uint8Array
  readonly key: KeyPair
}

export const makeRoot = async (
  options: {
    readonly algorithm?: KeyAlgorithm
    readonly key?: KeyPair
    readonly commonName?: string
    /** Signs; default: the platform's. */
    readonly provider?: WebCrypto
    readonly pathLength?: number
    readonly nameConstraints?: NameConstraints | undefined
    readonly duration?: number
    readonly now?: number
  } = {},
): Promise<Authority> => {
  const { provider = crypto } = options
  const key = options.key ?? (await generate(options.algorithm))
  const subject = distinguishedName({ commonName: options.commonName ?? 'Orders CA', organizations: ['Acme'] })
  const self = await selfSigner(provider, { pkcs8: key.pkcs8, subject })
  const plan = authorityPlan({
    signer: self,
    selfSigned: true,
    subject,
    spki: key.spki,
    pathLength: options.pathLength,
    nameConstraints: options.nameConstraints,
    duration: options.duration ?? 3650 * day,
    now: options.now ?? now,
    serialNumber: randomSerial(),
  })
  const certificate = (await issueCertificate(plan, self)).der
  return { key, certificate, signer: await createSigner(provider, { pkcs8: key.pkcs8, certificate }) }
}

export const makeIntermediate = async (
  above: Authority,
  commonName: string,
  pathLength?: number,
  at = now,
  known?: KeyPair,
): Promise<Authority> => {
  const key = known ?? (await generate())
  const plan = authorityPlan({
    signer: above.signer,
    selfSigned: false,
    subject: distinguishedName({ commonName }),
    spki: key.spki,
    pathLength,
    duration: 1000 * day,
    now: at,
    serialNumber: randomSerial(),
  })
  const certificate = (await issueCertificate(plan, above.signer)).der
  const chain = [above.certificate]
  return { key, certificate, signer: await createSigner(crypto, { pkcs8: key.pkcs8, certificate, chain }) }
}

export const planLeaf = (signer: Signer, key: KeyPair, changes: Partial<CertificatePlan> = {}): CertificatePlan => ({
  ...leafPlan({
    signer,
    subject: distinguishedName({ commonName: 'orders' }),
    names: [
      { type: 'DNS', value: 'orders.data.svc' },
      { type: 'DNS', value: '*.orders.data.svc' },
      { type: 'IP', value: '192.0.2.7' },
      { type: 'IP', value: '2001:db8::7' },
      { type: 'URI', value: 'spiffe://cluster.local/ns/data/sa/orders' },
      { type: 'Email', value: 'dba@example.com' },
    ],
    ...usagesOf('Peer', [], key.algorithm),
    spki: key.spki,
    duration: 90 * day,
    now,
    serialNumber: randomSerial(),
  }),
  ...changes,
})

export const opensslVersion = ((): string | undefined => {
  const { status, stdout } = spawnSync('openssl', ['version'], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
})()

if (opensslVersion === undefined) console.warn('openssl is not on the PATH: the tests that ask it are skipped')

/** Runs openssl; answers stdout and stderr together, and throws on an exit code other than 0. */
export const openssl = (args: readonly string[], input?: string | Uint8Array): string => {
  const { status, stdout, stderr } = spawnSync('openssl', args, { ...(input === undefined ? {} : { input }) })
  const text = stdout.toString('utf8') + stderr.toString('utf8')
  if (status !== 0) throw new Error(`openssl ${args[0]} ended with ${status}: ${text}`)
  return text
}

/** Binary output of openssl. */
export const opensslBytes = (args: readonly string[], input?: Uint8Array): Uint8Array =>
  new Uint8Array(
    execFileSync('openssl', args, { ...(input === undefined ? {} : { input }), stdio: ['pipe', 'pipe', 'pipe'] }),
  )

/** A folder of PEM files that is gone at the end of the scope. */
export const pemFolder = (): { write(name: string, label: string, ...ders: Uint8Array[]): string } & Disposable => {
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-pki-'))
  return {
    write(name, label, ...ders) {
      const file = join(folder, name)
      writeFileSync(file, ders.map((der) => encodePem(label, der)).join(''))
      return file
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}
