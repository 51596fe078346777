import { describe, expect, it } from 'vitest'
import { nameConstraints } from '../constraints/name-constraints.ts'
import type { NameConstraints } from '../plan.ts'
import { createSigner } from './signer.ts'
import { day, makeIntermediate, makeRoot, now } from '../testing.ts'

describe('the signer of a CA below others', () => {
  const constraintsTo = (...dnsDomains: string[]) => nameConstraints({ permitted: { dnsDomains } }) as NameConstraints

  it.each([
    { above: undefined, own: undefined, limit: undefined },
    { above: undefined, own: 2, limit: 2 },
    { above: 3, own: 2, limit: 2 },
    { above: 3, own: 1, limit: 1 },
    { above: 1, own: 0, limit: 0 },
  ])('signs $limit CAs below itself with path length $own under $above', async ({ above, own, limit }) => {
    const root = await makeRoot(above === undefined ? {} : { pathLength: above })
    expect((await makeIntermediate(root, 'Issuing CA', own)).signer.pathLength).toBe(limit)
  })

  it('counts itself under the path length of a root that was renewed with a smaller one', async () => {
    const root = await makeRoot({ pathLength: 3 })
    const { certificate, key } = await makeIntermediate(root, 'Issuing CA', 2)
    const renewed = await makeRoot({ pathLength: 1, key: root.key })
    const signer = await createSigner(crypto, { pkcs8: key.pkcs8, certificate, chain: [renewed.certificate] })
    expect(signer.pathLength).toBe(0)
  })

  it('stays within the life of every certificate above it', async () => {
    const root = await makeRoot()
    const { certificate, key } = await makeIntermediate(root, 'Issuing CA')
    const shorter = await makeRoot({ key: root.key, duration: 100 * day, now: now + day })
    const signer = await createSigner(crypto, { pkcs8: key.pkcs8, certificate, chain: [shorter.certificate] })
    expect([signer.notBefore, signer.notAfter]).toEqual([shorter.signer.notBefore, shorter.signer.notAfter])
  })

  it('is bound by the name constraints of all above it', async () => {
    const constraints = constraintsTo('data.svc')
    const { signer } = await makeIntermediate(await makeRoot({ nameConstraints: constraints }), 'Issuing CA')
    expect(signer.nameConstraints).toEqual([constraints])
  })
})
