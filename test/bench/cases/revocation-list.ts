/** A revocation list of ten thousand entries, made as the operator makes it: the time, and how long the event loop stands still. */
import { randomBytes, webcrypto } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { issueCertificate } from '../../../src/pki/certificates/certificate.ts'
import { generateKeyPair } from '../../../src/pki/keys/keys.ts'
import { distinguishedName } from '../../../src/pki/names/names.ts'
import { authorityPlan, serialNumber } from '../../../src/pki/certificates/plans.ts'
import { issueRevocationList, type RevokedEntry } from '../../../src/pki/revocation/revocation-list.ts'
import { createSigner, selfSigner, type Signer } from '../../../src/pki/certificates/signer.ts'
import { median, spreadOf } from '../figures.ts'
import type { Figure } from '../figures.ts'
import type { Sizes } from '../sizes.ts'

const day = 24 * 3600 * 1000

export const revocationList = async ({ runs, ledger }: Sizes): Promise<Figure[]> => {
  const signer = await authoritySigner()
  const times: number[] = []
  const blocks: number[] = []
  for (let run = 0; run < runs; run += 1) {
    const now = Date.now()
    const revoked = Array.from({ length: ledger }, (_, index) => entry(now - index * 1000))
    const plan = { issuer: signer.subject, authorityKeyId: signer.subjectKeyId, number: BigInt(run), revoked }
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    await sleep(50)
    delay.reset()
    const begin = performance.now()
    await issueRevocationList(signer, { ...plan, thisUpdate: now, nextUpdate: now + 31 * day })
    times.push(performance.now() - begin)
    await sleep(50)
    delay.disable()
    blocks.push(delay.max / 1e6)
  }
  return [
    {
      name: `a revocation list of ${ledger}`,
      unit: 'ms',
      measured: median(times),
      limit: { is: 'below', value: 2_000 },
      note: spreadOf(times),
    },
    {
      name: 'event loop held up meanwhile, longest',
      unit: 'ms',
      measured: Math.max(...blocks),
      limit: { is: 'below', value: 50 },
      note: spreadOf(blocks),
    },
  ]
}

const entry = (revokedAt: number): RevokedEntry => ({
  serialNumber: randomBytes(16).toString('hex').toUpperCase(),
  revokedAt,
  reason: 'keyCompromise',
  invalidityTime: revokedAt - day,
})

const authoritySigner = async (): Promise<Signer> => {
  const { pkcs8, spki } = await generateKeyPair(webcrypto, { algorithm: 'ECDSA', size: 256 })
  const subject = distinguishedName({ commonName: 'Bench CA' })
  const signer = await selfSigner(webcrypto, { pkcs8, subject })
  const serial = serialNumber(new Uint8Array(randomBytes(16)))
  const lifetime = { duration: 3650 * day, backdate: 2 * day, now: Date.now() }
  const plan = authorityPlan({ signer, selfSigned: true, subject, spki, serialNumber: serial, ...lifetime })
  return createSigner(webcrypto, { pkcs8, certificate: (await issueCertificate(plan, signer)).der })
}
