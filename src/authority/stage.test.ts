import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCertificate } from '../pki/certificates/parse.ts'
import { makeRoot } from '../pki/testing.ts'
import { formerTrust, otherNameOf, rootsOf, type Stage, stageOf, stages } from './stage.ts'

const [current, other] = (await Promise.all([makeRoot({ commonName: 'a' }), makeRoot({ commonName: 'b' })])).map(
  ({ certificate }) => parseCertificate(certificate),
)
if (current === undefined || other === undefined) throw new Error('two roots')

const both = [current, other]
const alone = [current]
const layout = (names: readonly ('next' | 'former')[], roots: readonly (typeof current)[], otherIsRoot = true) => ({
  names,
  other: names.length === 0 ? undefined : other,
  otherIsRoot,
  roots,
})

describe('the stage of a Secret', () => {
  it.each<{ mark: string | undefined; of: ReturnType<typeof layout>; stage: Stage }>([
    { mark: undefined, of: layout([], alone), stage: 'Plain' },
    { mark: 'Plain', of: layout([], alone), stage: 'Plain' },
    { mark: 'Next', of: layout(['next'], alone), stage: 'Next' },
    { mark: 'Both', of: layout(['next'], both), stage: 'Both' },
    { mark: 'Switched', of: layout(['former'], both), stage: 'Switched' },
    { mark: 'Dropped', of: layout(['former'], alone), stage: 'Dropped' },
    // Without the mark what lies there tells.
    { mark: undefined, of: layout(['next'], alone), stage: 'Next' },
    { mark: undefined, of: layout(['next'], both), stage: 'Both' },
    { mark: undefined, of: layout(['former'], both), stage: 'Switched' },
    { mark: undefined, of: layout(['former'], alone), stage: 'Dropped' },
    // Under one root nothing but the mark does; without it a step is made once more rather than skipped.
    { mark: 'Both', of: layout(['next'], alone, false), stage: 'Both' },
    { mark: 'Dropped', of: layout(['former'], alone, false), stage: 'Dropped' },
    { mark: undefined, of: layout(['next'], alone, false), stage: 'Next' },
    { mark: undefined, of: layout(['former'], alone, false), stage: 'Switched' },
  ])('is $stage by mark $mark', ({ mark, of, stage }) => {
    expect(stageOf(mark, of)).toEqual({ stage })
  })

  it.each([
    { name: 'Plain with a next CA', mark: 'Plain', of: layout(['next'], alone) },
    { name: 'Next without one', mark: 'Next', of: layout([], alone) },
    { name: 'Next that is trusted already', mark: 'Next', of: layout(['next'], both) },
    { name: 'Both that is not trusted', mark: 'Both', of: layout(['next'], alone) },
    { name: 'Switched without trust in the former', mark: 'Switched', of: layout(['former'], alone) },
    { name: 'Dropped with trust in it', mark: 'Dropped', of: layout(['former'], both) },
    { name: 'both a next and a former one', mark: 'Both', of: layout(['next', 'former'], both) },
    { name: 'the same without a mark', mark: undefined, of: layout(['next', 'former'], both) },
    { name: 'a word that is none', mark: '__proto__', of: layout(['next'], alone) },
  ])('is not told from $name', ({ mark, of }) => {
    expect(stageOf(mark, of)).toHaveProperty('problem')
  })
})

describe('the roots of a stage', () => {
  it('name the signer first, and the other one while it is trusted', () => {
    const found = stages.map((stage) => rootsOf(stage, current.der, other.der))
    expect(found).toEqual([
      [current.der],
      [current.der],
      [current.der, other.der],
      [current.der, other.der],
      [current.der],
    ])
  })

  it('are the same for certificates of the former one, which comes first', () => {
    expect(formerTrust([current.der, other.der], other.der)).toEqual([other.der, current.der])
    expect(formerTrust([current.der], other.der)).toEqual([current.der])
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 4 }), { selector: String }),
        fc.nat(),
        (set, at) => {
          const former = set[at % Math.max(set.length, 1)]
          if (former === undefined) return
          const found = formerTrust(set, former)
          expect(found[0]).toEqual(former)
          expect(found.map(String).toSorted()).toEqual(set.map(String).toSorted())
        },
      ),
    )
  })

  it('belong to one other CA or none', () => {
    expect(stages.map(otherNameOf)).toEqual([undefined, 'next', 'next', 'former', 'former'])
  })
})
