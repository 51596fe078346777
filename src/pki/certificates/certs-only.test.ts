import { describe, expect, it } from 'vitest'
import { certsOnly } from './certs-only.ts'
import { children, readOnly } from '../encoding/der.ts'
import { certificatesOf } from '../encoding/pem.ts'
import { makeIntermediate, makeRoot, openssl, opensslVersion } from '../testing.ts'

const hex = (ders: readonly Uint8Array[]): string[] => ders.map((der) => Buffer.from(der).toString('hex'))

describe('certsOnly', () => {
  it.skipIf(opensslVersion === undefined).each([1, 2, 3])(
    'openssl finds all of %i certificates in it',
    async (count) => {
      const root = await makeRoot({ pathLength: 2 })
      const middle = await makeIntermediate(root, 'Middle CA', 1)
      const chain = [(await makeIntermediate(middle, 'Orders CA')).certificate, middle.certificate, root.certificate]
      const given = chain.slice(0, count)
      const printed = openssl(['pkcs7', '-inform', 'DER', '-print_certs'], certsOnly(given))
      expect(hex(certificatesOf(printed)).toSorted()).toEqual(hex(given).toSorted())
      expect(printed).toContain('Orders CA')
    },
  )

  it('is the same whatever the order, and DER: a SET in the order of its bytes', async () => {
    const root = await makeRoot()
    const other = (await makeIntermediate(root, 'Orders CA')).certificate
    const [one, another] = [certsOnly([root.certificate, other]), certsOnly([other, root.certificate])]
    expect(one).toEqual(another)
    const [, explicit] = children(readOnly(one))
    const [, , , certificates] = children(readOnly(explicit?.contents ?? new Uint8Array()))
    const members = children(certificates ?? { tag: 0, contents: new Uint8Array(), encoded: new Uint8Array() })
    expect(hex(members.map(({ encoded }) => encoded))).toEqual(hex([root.certificate, other]).toSorted())
  })
})
