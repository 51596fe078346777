import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { dataHash } from '../material/hash.ts'
import { parseCertificate } from '../pki/certificates/parse.ts'
import { makeRoot } from '../pki/testing.ts'
import {
  bundleData,
  bundleMoves,
  type BundleRecord,
  changeOf,
  hashOfRoots,
  publishedRoots,
  readBundle,
  type Root,
} from './bundle-record.ts'
import { StoredAuthorityError } from './stored.ts'

const now = Date.UTC(2026, 5, 1)
let all: readonly Root[]
beforeAll(async () => {
  const names = ['a', 'b', 'c', 'd']
  all = await Promise.all(
    names.map(async (commonName) => parseCertificate((await makeRoot({ commonName, now })).certificate)),
  )
})
/** Roots by letter. */
const of = (letters: string): Root[] => letters.split('').map((letter) => all['abcd'.indexOf(letter)] as Root)
const letters = (roots: readonly Root[]): string => roots.map((root) => 'abcd'[all.indexOf(root)] ?? '?').join('')
const record = (stage: BundleRecord['stage'], bundle: string, former?: string): BundleRecord => ({
  ...{ stage, bundle: of(bundle) },
  ...(former === undefined ? {} : { former: of(former) }),
})
/** The same key and name, another certificate. */
const renewed = (root: Root): Root => ({ ...root, der: Uint8Array.of(1), fingerprint: 'another' })

describe('what is trusted of a bundle', () => {
  it.each([
    ['Plain', 'ab', undefined, 'ab'],
    ['Next', 'bc', 'ab', 'ab'],
    ['Both', 'cb', 'ab', 'abc'],
    ['Switched', 'cb', 'ab', 'abc'],
    ['Dropped', 'cb', undefined, 'cb'],
  ] as const)('in the stage %s, of %s after %s, is %s', (stage, bundle, former, trusted) => {
    expect(letters(publishedRoots(record(stage, bundle, former), now))).toBe(trusted)
  })

  it('is nothing that has ended', () => {
    const [first] = of('a')
    const ended = { ...(first as Root), notAfter: now - 1 }
    expect(publishedRoots({ stage: 'Both', bundle: of('b'), former: [ended] }, now)).toEqual(of('b'))
  })
})

describe('what its owner has changed', () => {
  it.each([
    ['Plain', 'ab', undefined, 'ba', 'Same'],
    ['Plain', 'ab', undefined, 'abc', 'Same'],
    ['Plain', 'ab', undefined, 'b', 'Less'],
    ['Plain', 'ab', undefined, 'cd', 'Less'],
    ['Both', 'b', 'ab', 'bc', 'Same'],
    ['Switched', 'b', 'ab', 'ba', 'All'],
    ['Switched', 'bc', 'ab', 'ba', 'Less'],
    // Never published, so it is not on its way out.
    ['Next', 'bc', 'ab', 'ab', 'All'],
    ['Dropped', 'b', undefined, 'b', 'Same'],
    ['Dropped', 'bc', undefined, 'b', 'Less'],
  ] as const)('in the stage %s, of %s after %s, by giving %s is %s', (stage, bundle, former, given, change) => {
    expect(changeOf(record(stage, bundle, former), of(given), now)).toBe(change)
  })

  it('is nothing where a CA was renewed with its key, or has ended', () => {
    const [a] = of('a')
    expect(changeOf(record('Plain', 'ab'), [renewed(a as Root), ...of('b')], now)).toBe('Same')
    const ended = { ...(a as Root), notAfter: now - 1 }
    expect(changeOf({ stage: 'Plain', bundle: [ended, ...of('b')] }, of('b'), now)).toBe('Same')
    expect(changeOf({ stage: 'Switched', bundle: of('b'), former: [ended, ...of('b')] }, of('b'), now)).toBe('All')
  })
})

describe('the Secret in which a bundle is remembered', () => {
  const read = (what: BundleRecord): BundleRecord => {
    const data = bundleData(what)
    return readBundle(data, { stage: what.stage, hash: dataHash(data) })
  }

  it('says the same when it is read, and holds each certificate once', () => {
    const subset = fc.shuffledSubarray('abcd'.split(''), { minLength: 1 })
    fc.assert(
      fc.property(subset, subset, (bundle, former) => {
        for (const stage of ['Plain', 'Next', 'Both', 'Switched', 'Dropped'] as const) {
          const has = stage !== 'Plain' && stage !== 'Dropped'
          const what = record(stage, bundle.join(''), has ? former.join('') : undefined)
          const again = read(what)
          expect([again.stage, hashOfRoots(again.bundle)]).toEqual([stage, hashOfRoots(what.bundle)])
          expect(again.former && hashOfRoots(again.former)).toBe(what.former && hashOfRoots(what.former))
          const held =
            Buffer.from(bundleData(what).get('ca.crt') ?? [])
              .toString()
              .split('BEGIN').length - 1
          expect(held).toBe(new Set([...bundle, ...(has ? former : [])]).size)
        }
      }),
    )
  })

  it('takes no notice of what an apply has left of an earlier stage', () => {
    const before = bundleData(record('Switched', 'b', 'ab'))
    const after = bundleData(record('Dropped', 'b'))
    const left = new Map([...before, ...after])
    expect(readBundle(left, { stage: 'Dropped', hash: dataHash(after) }).former).toBeUndefined()
  })

  it.each<[string, (data: Map<string, Uint8Array>) => [string | undefined, string | undefined], string]>([
    ['no stage', (data) => [undefined, dataHash(data)], 'names no stage'],
    ['another hash', () => ['Both', 'x'], 'somebody has changed it'],
    [
      'no certificates',
      (data) => {
        data.set('ca.crt', Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'))
        return ['Both', dataHash(data)]
      },
      'does not hold PEM certificates',
    ],
    [
      'certificates that are not there',
      (data) => {
        data.set('former.sha256', Buffer.from('00\n'))
        return ['Both', dataHash(data)]
      },
      'key former.sha256 names certificates that',
    ],
  ])('is refused with %s', (_, change, words) => {
    const data = new Map(bundleData(record('Both', 'b', 'ab')))
    const [stage, hash] = change(data)
    expect(() => readBundle(data, { stage, hash })).toThrow(StoredAuthorityError)
    expect(() => readBundle(data, { stage, hash })).toThrow(words)
  })
})

describe('the steps of a bundle', () => {
  it('drop nothing but at the drop, whatever its owner gives in between', () => {
    const given = fc.shuffledSubarray('abcd'.split(''), { minLength: 1 }).map((some) => some.join(''))
    fc.assert(
      fc.property(given, fc.array(given, { minLength: 1, maxLength: 6 }), (first, more) => {
        let at: BundleRecord = record('Plain', first)
        const trusted = new Set(first)
        for (const bundle of more) {
          at = bundleMoves.switchOver(
            bundleMoves.publish(bundleMoves.prepare(at, of(bundle), now), of(bundle)),
            of(bundle),
          )
          for (const letter of bundle) trusted.add(letter)
          expect(new Set(letters(publishedRoots(at, now)))).toEqual(trusted)
        }
        const last = more.at(-1) ?? ''
        expect(letters(publishedRoots(bundleMoves.drop(of(last)), now))).toBe(last)
      }),
    )
  })
})
