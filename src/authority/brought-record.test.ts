import { describe, expect, it } from 'vitest'
import { marks } from '../control/context.ts'
import { dataHash } from '../material/hash.ts'
import { parseCertificate } from '../pki/certificates/parse.ts'
import { makeIntermediate, makeRoot } from '../pki/testing.ts'
import {
  type BroughtRecord,
  isSameParty,
  keyOwnerOf,
  keyWanted,
  type Party,
  publishedTrust,
  readRecord,
  recordData,
} from './brought-record.ts'
import { otherNameOf, type Stage, stages } from './stage.ts'

const [root, other, stranger] = [
  await makeRoot({ commonName: 'one' }),
  await makeRoot({ commonName: 'two' }),
  await makeRoot({ commonName: 'three' }),
]
const below = await makeIntermediate(other, 'below two')
const signer: Party = { certificate: parseCertificate(root.certificate), chain: [], trust: [root.certificate] }
const next: Party = {
  certificate: parseCertificate(below.certificate),
  chain: [below.certificate],
  trust: [other.certificate, stranger.certificate],
}
const at = (stage: Stage): BroughtRecord => {
  const name = otherNameOf(stage)
  return name === undefined ? { stage, signer } : { stage, signer, other: { ...next, name } }
}
const read = (record: BroughtRecord, change: (data: Map<string, Uint8Array>) => void = () => undefined) => {
  const data = new Map(recordData(record))
  const hash = dataHash(data)
  change(data)
  return readRecord(data, { stage: record.stage, hash, overlapped: record.overlapped === true })
}

describe('what is remembered of a CA that was brought along', () => {
  it.each(stages)('comes back as it was in the stage %s', (stage) => {
    const found = read(at(stage))
    expect(found.stage).toBe(stage)
    expect(isSameParty(found.signer, signer)).toBe(true)
    expect(found.other?.name).toBe(otherNameOf(stage))
    if (found.other !== undefined) expect(isSameParty(found.other, next)).toBe(true)
  })

  it.each([
    ['Plain', [root]],
    ['Next', [root]],
    ['Both', [root, other, stranger]],
    ['Switched', [root, other, stranger]],
    ['Dropped', [root]],
  ] as const)('is trusted in %s for exactly its stage', (stage, trusted) => {
    expect(publishedTrust(at(stage))).toEqual(trusted.map(({ certificate }) => certificate))
  })

  it('trusts no root twice', () => {
    const both = {
      stage: 'Both',
      signer,
      other: { ...next, trust: [...next.trust, root.certificate], name: 'next' },
    } as const
    expect(publishedTrust(both)).toEqual([root, other, stranger].map(({ certificate }) => certificate))
  })

  it('holds no key', () => {
    for (const stage of stages) {
      expect([...recordData(at(stage)).keys()].filter((key) => key.endsWith('.key'))).toEqual([])
      for (const bytes of recordData(at(stage)).values()) expect(Buffer.from(bytes).toString()).not.toContain('PRIVATE')
    }
  })

  it('does not mind what a restore has left of another stage, nor keys of others', () => {
    const left = recordData(at('Both'))
    const found = read(at('Switched'), (data) => {
      for (const key of ['next.crt', 'next-ca.crt']) data.set(key, left.get(key) ?? new Uint8Array())
      data.set('theirs', Buffer.from('x'))
    })
    expect(found.other?.name).toBe('former')
  })

  it.each([
    ['a changed certificate', (data: Map<string, Uint8Array>) => data.set('tls.crt', Buffer.from('x'))],
    [
      'another root',
      (data: Map<string, Uint8Array>) => data.set('next-ca.crt', data.get('tls-ca.crt') ?? Buffer.alloc(0)),
    ],
    ['a key less', (data: Map<string, Uint8Array>) => data.delete('ca.crt')],
  ])('is refused with %s', (_, change) => {
    expect(() => read(at('Both'), change)).toThrow('somebody has changed it')
  })

  it('is refused without a stage, or with one that does not fit', () => {
    const data = recordData(at('Plain'))
    expect(() => readRecord(data, { stage: undefined, hash: dataHash(data), overlapped: false })).toThrow(
      marks.rotationStage,
    )
    expect(() => readRecord(data, { stage: 'Both', hash: dataHash(data), overlapped: false })).toThrow('next.crt')
  })

  it.each([
    ['Signer', root],
    ['Other', below],
    ['Stranger', stranger],
  ] as const)('knows the key of the %s', (owner, { certificate }) => {
    expect(keyOwnerOf(at('Both'), parseCertificate(certificate))).toBe(owner)
  })

  it('says whose key has to be there', () => {
    expect(stages.map((stage) => keyWanted(stage))).toEqual(['Signer', 'Other', 'Other', 'Signer', 'Signer'])
  })
})
