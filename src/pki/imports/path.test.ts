import { describe, expect, it } from 'vitest'
import { type ParsedCertificate, parseCertificate } from '../certificates/parse.ts'
import { makeIntermediate, makeRoot, now } from '../testing.ts'
import { bestPath } from './path.ts'

const root = await makeRoot({ commonName: 'Root' })
const ca = parseCertificate((await makeIntermediate(root, 'Issuing')).certificate)
const above = parseCertificate(root.certificate)

const messageOf = (pool: readonly ParsedCertificate[]): string =>
  bestPath(ca, pool, now)
    .problems.map(({ message }) => message)
    .join(' ')

/** Of another key, and without the identifier that would tell so before the signature is checked. */
const namesakes = async (count: number): Promise<ParsedCertificate[]> => {
  const { subjectKeyId: _, ...other } = parseCertificate((await makeRoot({ commonName: 'Root' })).certificate)
  return Array.from({ length: count }, (_one, at) => ({ ...other, fingerprint: String(at) }))
}

describe('the way to a root that is not found', () => {
  it('says which issuer is not there', () => {
    expect(messageOf([])).toContain('No certificate of "CN=Root,O=Acme", the issuer of')
  })

  it('says that the issuer given has another key', async () => {
    expect(messageOf(await namesakes(3))).toMatch(/is not signed by the certificate of "CN=Root,O=Acme" that is given/)
  })

  it('says that there are too many of one name, where not all of them were tried', async () => {
    const pool = [...(await namesakes(64)), above]
    expect(messageOf(pool)).toMatch(/64 signatures were checked.*give the certificates of its own chain alone/)
    expect(messageOf(pool)).not.toContain('bring the one')
    expect(messageOf(pool.toReversed())).toBe('')
  })
})
