/** Small public key infrastructures for tests, made by the program's own signer; other tools judge what comes of them. */
import { randomBytes, webcrypto } from 'node:crypto'
import { issueCertificate } from '../../src/pki/certificates/certificate.ts'
import type { KeyPair } from '../../src/pki/keys/keys.ts'
import { generateKeyPair } from '../../src/pki/keys/keys.ts'
import { distinguishedName } from '../../src/pki/names/names.ts'
import type { KeyAlgorithm } from '../../src/pki/plan.ts'
import { authorityPlan, leafPlan, serialNumber, usagesOf } from '../../src/pki/certificates/plans.ts'
import { createSigner, selfSigner } from '../../src/pki/certificates/signer.ts'

export interface Identity {
  readonly certificate: Uint8Array
  readonly key: KeyPair
}

export const p256: KeyAlgorithm = { algorithm: 'ECDSA', size: 256 }
/** 2026-03-01T00:00:00Z: nothing of a test depends on the day it runs. */
export const testTime = Date.UTC(2026, 2, 1)
const day = 24 * 3600 * 1000

const serial = (): Uint8Array => serialNumber(new Uint8Array(randomBytes(16)))

export const makeRoot = async (commonName: string, algorithm: KeyAlgorithm = p256): Promise<Identity> => {
  const key = await generateKeyPair(webcrypto, algorithm)
  const subject = distinguishedName({ commonName })
  const signer = await selfSigner(webcrypto, { pkcs8: key.pkcs8, subject })
  const request = { signer, selfSigned: true, subject, spki: key.spki, serialNumber: serial() }
  const plan = authorityPlan({ ...request, duration: 3650 * day, now: testTime })
  return { certificate: (await issueCertificate(plan, signer)).der, key }
}

const signerOf = ({ key, certificate }: Identity) => createSigner(webcrypto, { pkcs8: key.pkcs8, certificate })

export const makeIntermediate = async (
  commonName: string,
  issuer: Identity,
  algorithm: KeyAlgorithm = p256,
): Promise<Identity> => {
  const key = await generateKeyPair(webcrypto, algorithm)
  const signer = await signerOf(issuer)
  const subject = distinguishedName({ commonName })
  const request = { signer, selfSigned: false, subject, spki: key.spki, serialNumber: serial() }
  const plan = authorityPlan({ ...request, duration: 1000 * day, now: testTime })
  return { certificate: (await issueCertificate(plan, signer)).der, key }
}

export const makeLeaf = async (
  commonName: string,
  issuer: Identity,
  algorithm: KeyAlgorithm = p256,
): Promise<Identity> => {
  const key = await generateKeyPair(webcrypto, algorithm)
  const signer = await signerOf(issuer)
  const plan = leafPlan({
    signer,
    subject: distinguishedName({ commonName }),
    names: [{ type: 'DNS', value: `${commonName}.data.svc` }],
    spki: key.spki,
    serialNumber: serial(),
    ...usagesOf('Peer', [], algorithm),
    duration: 90 * day,
    now: testTime,
  })
  return { certificate: (await issueCertificate(plan, signer)).der, key }
}
