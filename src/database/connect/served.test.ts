import { beforeAll, describe, expect, it } from 'vitest'
import { issueCertificate } from '../../pki/certificates/certificate.ts'
import { type Authority, generate, makeIntermediate, makeRoot, now, planLeaf } from '../../pki/testing.ts'
import { hangsOnFormer, servedFrom } from './served.ts'

describe('what a server shows while a CA is replaced', () => {
  const names = ['former', 'next', 'stranger'] as const
  const roots: Record<string, Authority> = {}
  const chains: Record<string, readonly Uint8Array[]> = {}
  beforeAll(async () => {
    for (const name of names) roots[name] = await makeRoot({ commonName: 'Root', pathLength: 1 })
    const { former, next, stranger } = roots as Record<(typeof names)[number], Authority>
    const below = await makeIntermediate(former, 'Below', 0)
    // The same name and key under each root.
    const [renewed, strange] = [
      await makeIntermediate(next, 'Below', 0, now, below.key),
      await makeIntermediate(stranger, 'Below', 0, now, below.key),
    ]
    const { der } = await issueCertificate(planLeaf(below.signer, await generate()), below.signer)
    Object.assign(chains, {
      formerChain: [der, below.certificate],
      formerChainWithRoot: [der, below.certificate, former.certificate],
      nextChain: [der, renewed.certificate],
      both: [der, below.certificate, renewed.certificate],
      bare: [der],
      strange: [der, strange.certificate],
      unreadable: [Uint8Array.of(0x30, 0), below.certificate],
      brokenAbove: [der, Uint8Array.of(0x30, 0), below.certificate],
    })
  })

  it.each([
    ['formerChain', true],
    ['formerChainWithRoot', true],
    ['brokenAbove', true],
    ['nextChain', false],
    ['both', false],
    ['bare', false],
    ['strange', false],
  ])('%s: hangs on the former one: %s', (name, hangs) => {
    const served = servedFrom(chains[name] ?? [])
    const [former, next] = [roots['former'], roots['next']]
    if (served === undefined || former === undefined || next === undefined) throw new Error('not made')
    expect(hangsOnFormer(served, { former: former.certificate, next: next.certificate })).toBe(hangs)
    // A CA may be replaced and brought back.
    if (name === 'nextChain')
      expect(hangsOnFormer(served, { former: next.certificate, next: former.certificate })).toBe(true)
  })

  it('is none where it cannot be read', () => {
    expect(servedFrom(chains['unreadable'] ?? [])).toBeUndefined()
  })
})
