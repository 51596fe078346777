import { beforeAll, describe, expect, test } from 'vitest'
import { issueCertificate } from './certificate.ts'
import { encodeTbs } from './certificate.ts'
import { chainProblems, leadsTo } from './chain.ts'
import { bitString, sequence } from '../encoding/der.ts'
import { distinguishedName } from '../names/names.ts'
import { type ParsedCertificate, parseCertificate } from './parse.ts'
import type { CertificatePlan } from '../plan.ts'
import type { Signer } from './signer.ts'
import { type Authority, day, generate, makeIntermediate, makeRoot, now, planLeaf } from '../testing.ts'

let root: Authority
let middle: Authority
let stranger: Authority
let leaf: ParsedCertificate
beforeAll(async () => {
  root = await makeRoot({ commonName: 'Root', pathLength: 1 })
  middle = await makeIntermediate(root, 'Middle', 0)
  stranger = await makeRoot({ commonName: 'Root', pathLength: 1 })
  leaf = await issueCertificate(planLeaf(middle.signer, await generate()), middle.signer)
})

const parsed = ({ certificate }: Authority): ParsedCertificate => parseCertificate(certificate)

/** Signs what issueCertificate would refuse. */
const forge = async (plan: CertificatePlan, signer: Signer): Promise<ParsedCertificate> => {
  const tbs = encodeTbs(plan, signer.signatureAlgorithm)
  return parseCertificate(sequence(tbs, signer.signatureAlgorithm, bitString(await signer.sign(tbs))))
}

describe('a chain', () => {
  test('from leaf over intermediate to root is without problems', () =>
    expect(chainProblems(leaf, [parsed(middle)], [parsed(root)], now)).toEqual([]))

  test('is found among unrelated certificates, in any order, with the root sent along', () =>
    expect(
      chainProblems(
        leaf,
        [parsed(stranger), parsed(root), parsed(middle), leaf],
        [parsed(stranger), parsed(root)],
        now,
      ),
    ).toEqual([]))

  test('is one certificate long when the leaf itself is trusted', () =>
    expect(chainProblems(parsed(root), [], [parsed(root)], now)).toEqual([]))

  test('leads by its signatures to a CA, a root or not, whatever the time is', () => {
    expect(leadsTo(leaf, [parsed(middle)], [parsed(root)])).toBe(true)
    expect(leadsTo(leaf, [], [parsed(middle)])).toBe(true)
    expect(leadsTo(leaf, [parsed(middle)], [parsed(stranger)])).toBe(false)
    expect(leadsTo(leaf, [], [parsed(root)])).toBe(false)
    expect(chainProblems(leaf, [parsed(middle)], [parsed(root)], now + 5000 * day)).not.toEqual([])
  })

  test('over a CA that was renewed with its key serves what the old one signed', async () => {
    const renewed = await makeRoot({ key: root.key, commonName: 'Root', pathLength: 1, now: now + 50 * day })
    expect(chainProblems(leaf, [parsed(middle)], [parsed(renewed)], now + 60 * day)).toEqual([])
  })

  test.each<[string, () => string[], string]>([
    ['no intermediate', () => chainProblems(leaf, [], [parsed(root)], now), 'No certificate of the issuer "CN=Middle"'],
    ['no root', () => chainProblems(leaf, [parsed(middle)], [], now), 'No chain of valid signatures'],
    [
      'a root of the same name',
      () => chainProblems(leaf, [parsed(middle)], [parsed(stranger)], now),
      'No chain of valid signatures',
    ],
    [
      'a leaf that is not valid yet',
      () => chainProblems(leaf, [parsed(middle)], [parsed(root)], now - day),
      '"CN=orders" is not valid before',
    ],
    [
      'a leaf that has expired',
      () => chainProblems(leaf, [parsed(middle)], [parsed(root)], now + 91 * day),
      '"CN=orders" expired',
    ],
    [
      'an expired root',
      () => chainProblems(leaf, [parsed(middle)], [parsed(root)], now + 4000 * day),
      '"CN=Root,O=Acme" expired',
    ],
  ])('fails with %s', (_, problems, message) => expect(problems().join(' ')).toContain(message))

  const ca = { basicConstraints: { ca: true }, keyUsage: ['keyCertSign'], extendedKeyUsage: [] } as const

  test.each<[string, (plan: CertificatePlan) => Partial<CertificatePlan>, string]>([
    ['is no CA', () => ({}), 'is not a CA'],
    ['may not sign', () => ({ ...ca, keyUsage: ['digitalSignature'] }), 'keyCertSign is missing'],
    [
      'outlives the root',
      (plan) => ({ ...ca, notAfter: plan.notAfter + 5000 * day }),
      'outlives its issuer "CN=Root,O=Acme"',
    ],
    ['ends before the leaf', (plan) => ({ ...ca, notAfter: plan.notAfter - day }), '"CN=orders" outlives'],
  ])('fails over an intermediate that %s', async (_, changes, message) => {
    const key = await generate()
    const subject = distinguishedName({ commonName: 'Forged' })
    const template = planLeaf(root.signer, key, { subject })
    const forged = await forge({ ...template, ...changes(template) }, root.signer)
    const signer: Signer = { ...(await makeRoot({ key })).signer, subject }
    const below = await forge(planLeaf(signer, await generate()), signer)
    expect(chainProblems(below, [forged], [parsed(root)], now).join(' ')).toContain(message)
  })

  test('fails over more CAs than the path length allows', async () => {
    const deep = await forge(
      planLeaf(middle.signer, await generate(), { ...ca, subject: distinguishedName({ commonName: 'Deep' }) }),
      middle.signer,
    )
    expect(chainProblems(deep, [parsed(middle)], [parsed(root)], now)).toEqual([])
    const key = await generate()
    const deeper = await forge(
      planLeaf(middle.signer, key, { ...ca, subject: distinguishedName({ commonName: 'Deep' }) }),
      middle.signer,
    )
    const signer: Signer = { ...(await makeRoot({ key })).signer, subject: distinguishedName({ commonName: 'Deep' }) }
    const below = await forge(planLeaf(signer, await generate()), signer)
    expect(chainProblems(below, [deeper, parsed(middle)], [parsed(root)], now).join(' ')).toContain(
      'allows 0 CAs below it, and there are 1',
    )
  })

  test('that goes in a circle ends', async () => {
    const [a, b] = [await generate(), await generate()]
    const names = [distinguishedName({ commonName: 'A' }), distinguishedName({ commonName: 'B' })] as const
    const signerA: Signer = { ...(await makeRoot({ key: a })).signer, subject: names[0] }
    const signerB: Signer = { ...(await makeRoot({ key: b })).signer, subject: names[1] }
    const aByB = await forge(planLeaf(signerB, a, { ...ca, subject: names[0] }), signerB)
    const bByA = await forge(planLeaf(signerA, b, { ...ca, subject: names[1] }), signerA)
    expect(chainProblems(aByB, [aByB, bByA], [parsed(root)], now)).toHaveLength(1)
  })
})
