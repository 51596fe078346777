import { describe, expect, it } from 'vitest'
import { trustHash } from '../authority/trust.ts'
import { ApiError } from '../cluster/errors.ts'
import { never, rejection } from '../control/testing.ts'
import { makeRoot } from '../pki/testing.ts'
import { issueRevocationList } from '../pki/revocation/revocation-list.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { contentOf, type Sources } from './content.ts'
import type { Target } from './wanted.ts'

const root = await makeRoot()
const day = 24 * 3_600_000

const target = (...contents: readonly string[]): Target =>
  ({ items: contents.map((content) => ({ key: content, content })) }) as unknown as Target

const authority = (status: object = {}): CertificateAuthority =>
  ({
    metadata: { namespace: 'data', name: 'ca' },
    status: { trustBundleHash: trustHash([root.certificate]), ...status },
  }) as unknown as CertificateAuthority

const listOf = (number: bigint): Promise<Uint8Array> =>
  issueRevocationList(root.signer, {
    issuer: root.signer.subject,
    authorityKeyId: root.signer.subjectKeyId,
    thisUpdate: root.signer.notBefore,
    nextUpdate: root.signer.notBefore + day,
    number,
    revoked: [],
  })

const encode = (
  wanted: Target,
  { trust = [root.certificate], list, fails }: { trust?: readonly Uint8Array[]; list?: Uint8Array; fails?: Error },
  status: object = {},
) => {
  const sources = {
    keyring: { trustOf: () => (fails === undefined ? Promise.resolve(trust) : Promise.reject(fails)) },
    readRevocationList: () => Promise.resolve(list),
  } as unknown as Sources
  return contentOf(sources, authority(status), wanted, (size) => new Uint8Array(size), never)
}

describe('the content of a trust target', () => {
  it('waits while the roots are not those that the authority reports', async () => {
    const other = await makeRoot()
    const error = await rejection(encode(target('TrustBundle'), { trust: [other.certificate] }))
    expect(error).toMatchObject({ reason: 'AuthorityNotReady', message: expect.stringContaining('data/ca') })
  })

  it('says what keeps the authority from being read, and leaves a server in trouble to the one who asked', async () => {
    const error = await rejection(encode(target('TrustBundle'), { fails: new Error('its Secret is gone') }))
    expect(error).toMatchObject({ reason: 'AuthorityNotReady', message: expect.stringContaining('its Secret is gone') })
    const trouble = new ApiError({ status: 500, reason: 'InternalError', message: 'm' })
    expect(await rejection(encode(target('TrustBundle'), { fails: trouble }))).toBe(trouble)
  })

  it('waits for the revocation list, and never takes one that is behind the one reported', async () => {
    const wanted = target('RevocationList')
    expect(await rejection(encode(wanted, {}))).toMatchObject({ reason: 'AuthorityNotReady' })
    const list = await listOf(7n)
    expect(await rejection(encode(wanted, { list }, { crl: { number: 8 } }))).toMatchObject({ reason: 'Conflict' })
    for (const number of [7, 6]) {
      const made = await encode(wanted, { list }, { crl: { number } })
      expect(Buffer.from(made.get('RevocationList') ?? []).toString()).toContain('X509 CRL')
    }
  })
})
