import { beforeAll, describe, expect, it } from 'vitest'
import { entryOf } from '../ledger/testing.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import { makeRoot } from '../pki/testing.ts'
import { issueRevocationList } from '../pki/revocation/revocation-list.ts'
import { formerList, type FormerList, formerLists, stillNeeded } from './former.ts'

const now = Date.parse('2026-11-21T00:00:00Z')
const day = 24 * 3_600_000

let list: FormerList
beforeAll(async () => {
  const { signer } = await makeRoot({ now })
  const der = await issueRevocationList(signer, {
    issuer: signer.subject,
    authorityKeyId: signer.subjectKeyId,
    thisUpdate: now,
    nextUpdate: now + day,
    number: 1n,
    revoked: [],
  })
  const found = formerList(encodePem('X509 CRL', der))
  if (found === undefined) throw new Error('no list')
  list = found
})

describe('the last list of a former key', () => {
  it('stands under the identifier of that key, and is found there again', () => {
    expect(list.name).toBe(`former-${list.keyId}.crl`)
    expect(list.keyId).toMatch(/^[0-9a-f]{40}$/)
    expect(formerLists({ 'ca.crl': list.pem, [list.name]: list.pem })).toEqual([list])
  })

  it.each([
    { what: 'another name', data: () => ({ [`former-${'0'.repeat(40)}.crl`]: list.pem }) },
    { what: 'a key of somebody', data: () => ({ 'notes.txt': list.pem }) },
    { what: 'something else', data: () => ({ [list.name]: 'nothing' }) },
    { what: 'an empty one', data: () => ({ [list.name]: '' }) },
  ])('is not seen in $what', ({ data }) => {
    expect(formerLists(data())).toEqual([])
  })

  const present = { keyId: 'bb', publicKeyHash: 'h' }
  const leaf = (change: object = {}) => entryOf('01', { authorityKeyId: list.keyId, notAfter: now + day, ...change })
  it.each([
    { name: 'stays while a certificate of its key lives', ledger: () => [leaf()], kept: true },
    { name: 'goes when the last one has ended', ledger: () => [leaf({ notAfter: now })], kept: false },
    { name: 'goes where only others live', ledger: () => [leaf({ authorityKeyId: 'bb' })], kept: false },
    { name: 'does not stay for the certificate of the CA itself', ledger: () => [leaf({ isCa: true })], kept: false },
    {
      name: 'goes when its key is back',
      ledger: () => [leaf()],
      key: () => ({ ...present, keyId: list.keyId }),
      kept: false,
    },
  ])('$name', ({ ledger, key = () => present, kept }) => {
    expect(stillNeeded([list, list], ledger(), [key()], now)).toEqual(kept ? [list] : [])
  })
})
