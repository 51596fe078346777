import { beforeAll, describe, expect, test } from 'vitest'
import type { Identity } from '../../test/oracles/certificates.ts'
import { makeIntermediate, makeLeaf, makeRoot } from '../../test/oracles/certificates.ts'
import { chainFrom } from './chain.ts'

let root: Identity
let namesake: Identity
let upper: Identity
let lower: Identity
let leaf: Identity
beforeAll(async () => {
  root = await makeRoot('root')
  namesake = await makeRoot('root')
  upper = await makeIntermediate('upper', root)
  lower = await makeIntermediate('lower', upper)
  leaf = await makeLeaf('orders', lower)
})

const names = (chain: readonly Uint8Array[]): string[] => {
  const known = Object.entries({ root, namesake, upper, lower, leaf })
  return chain.map(
    (der) => known.find(([, { certificate }]) => Buffer.compare(certificate, der) === 0)?.[0] ?? 'unknown',
  )
}

describe('a chain is built', () => {
  test.each<[string, () => Identity[], string[]]>([
    ['from certificates in any order', () => [upper, root, lower], ['leaf', 'lower', 'upper', 'root']],
    ['as far as the certificates go', () => [root, lower], ['leaf', 'lower']],
    [
      'by key identifier where two CAs have one name',
      () => [namesake, root, upper, lower],
      ['leaf', 'lower', 'upper', 'root'],
    ],
    ['of the leaf alone where no issuer is there', () => [namesake], ['leaf']],
    ['without repeating a certificate', () => [lower, lower, leaf, upper], ['leaf', 'lower', 'upper']],
  ])('%s', (_, pool, wanted) => {
    expect(
      names(
        chainFrom(
          leaf.certificate,
          pool().map(({ certificate }) => certificate),
        ),
      ),
    ).toEqual(wanted)
  })

  test('past certificates that cannot be read', () => {
    expect(names(chainFrom(leaf.certificate, [Uint8Array.of(1, 2), lower.certificate]))).toEqual(['leaf', 'lower'])
    expect(chainFrom(Uint8Array.of(1, 2), [lower.certificate])).toEqual([Uint8Array.of(1, 2)])
  })
})
