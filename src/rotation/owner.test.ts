import { describe, expect, it } from 'vitest'
import type { BroughtMaterial } from '../authority/rotate-brought.ts'
import { decide } from './decide.ts'
import { abortAnswer, ownersWorld, ownerStep } from './owner.ts'
import { material, rotating, someone, start, world } from './rotation.fixture.ts'
import type { State } from './state.ts'

type Owned = Pick<BroughtMaterial, 'owner' | 'stage' | 'trustsMore' | 'changesTrust'>

const idle: State = { phase: 'Idle', trigger: 'a', abort: '' }
const owned = (stage: Owned['stage'], owner: Owned['owner'], trustsMore = true): Owned => ({
  ...{ stage, owner, trustsMore },
  changesTrust: true,
})

describe('what the owner of a CA has done', () => {
  it.each([
    ['Prepared', owned('Next', 'Other'), undefined],
    ['Prepared', owned('Next', 'Signer', false), 'Abandon Idle Abort'],
    ['Prepared', owned('Next', 'Signer', true), 'SwitchBack Signing Abort'],
    ['Prepared', owned('Next', 'Stranger'), 'Prepare Prepared Replaced'],
    ['TrustBoth', owned('Both', 'Other'), undefined],
    ['TrustBoth', owned('Both', 'Signer'), 'SwitchBack Signing Abort'],
    ['TrustBoth', owned('Both', 'Stranger'), 'Prepare Prepared Replaced'],
    ['TrustBoth', owned('Next', 'Other'), 'Report Prepared Replaced'],
    ['Signing', owned('Switched', 'Signer'), undefined],
    ['Signing', owned('Switched', 'Other'), 'SwitchBack Signing Abort'],
    ['Signing', owned('Switched', 'Stranger'), 'Prepare Prepared Replaced'],
    ['Signing', owned('Next', 'Other'), 'Report Prepared Replaced'],
    ['DropSoak', owned('Switched', 'Other'), 'SwitchBack Signing Abort'],
    ['DropSoak', owned('Switched', 'Stranger'), 'Prepare Prepared Replaced'],
    ['Dropped', owned('Dropped', 'Signer'), undefined],
    ['Dropped', owned('Dropped', 'Other'), 'Prepare Prepared Replaced'],
    ['Dropped', owned('Dropped', 'Stranger'), 'Prepare Prepared Replaced'],
    // Status is behind, which the common decision mends.
    ['TrustBoth', owned('Plain', 'Signer'), undefined],
    ['Signing', owned('Dropped', 'Stranger'), 'Prepare Prepared Replaced'],
    ['TrustBoth', owned('Dropped', 'Signer'), undefined],
  ] as const)('in %s, with %o, leads to %s', (phase, seen, expected) => {
    const step = ownerStep(rotating(phase), world({ ...material[phase], stage: seen.stage }), seen)
    const said = step && [step.act, step.state.phase, step.state.cause].join(' ')
    expect(said).toBe(expected)
    expect(step?.state.soakStartedAt).toBeUndefined()
  })

  it('is read from the Secret where a crash kept it from status', () => {
    const state: State = { ...rotating('TrustBoth'), from: 'A', to: 'B' }
    const seen = world({ ...material.Signing, signer: { ...world().signer, fingerprint: 'A' } })
    expect(ownerStep(state, seen, owned('Switched', 'Signer'))).toMatchObject({
      act: 'Report',
      state: { phase: 'Signing', cause: 'Abort', from: 'B', to: 'A' },
    })
  })

  it.each([
    [true, 'Report'],
    [false, 'Switch'],
  ])(
    'is soaked where it changes who is trusted (%s), and not where its owner has seen to that',
    (changesTrust, act) => {
      const seen = { ...owned('Both', 'Other'), changesTrust }
      const state = rotating('TrustBoth')
      expect(decide(state, ownersWorld(world(material.TrustBoth), state, seen)).act).toBe(act)
    },
  )

  it('begins a rotation of its own, at once, whatever the windows say', () => {
    const closed = world({ wish: { open: false, opensAt: start + 1000, trigger: 'b' } })
    const step = decide(idle, ownersWorld(closed, idle, owned('Plain', 'Stranger')))
    expect(step).toMatchObject({ act: 'Prepare', state: { cause: 'Replaced', trigger: 'a' } })
  })

  it.each([
    ['a trigger', { trigger: 'b' }],
    ['a trigger that would keep the key', { trigger: 'b', onTrigger: 'ReuseKey' }],
  ] as const)('is the only thing that does: %s is answered in words', (_, wish) => {
    const step = decide(idle, ownersWorld(world({ wish }), idle, owned('Plain', 'Signer')))
    expect(step).toMatchObject({ act: 'Stay', message: expect.stringContaining('spec.source.secret') })
  })

  it('is not undone by the end of the CA, nor by the text of abort', () => {
    const ending = { ...world().signer, expiring: true }
    const wished = world({ signer: ending, wish: { onExpiry: 'NewKey', abort: 'x', trigger: 'a' } })
    expect(decide(idle, ownersWorld(wished, idle, owned('Plain', 'Signer')))).toMatchObject({
      act: 'Stay',
      message: '',
    })
    const running = ownersWorld(
      world({ ...material.TrustBoth, wish: { abort: 'x' } }),
      rotating('TrustBoth'),
      owned('Both', 'Other'),
    )
    expect(decide(rotating('TrustBoth'), running).act).not.toBe('Abandon')
  })

  it('is not what abort says, which is answered once', () => {
    for (const state of [idle, rotating('TrustBoth')]) {
      const answer = abortAnswer(state, 'x')
      expect(answer).toMatchObject({ act: 'Report', state: { phase: state.phase, abort: 'x' } })
      expect(answer?.message).toContain('spec.source.secret')
      expect(abortAnswer(answer?.state, 'x')).toBeUndefined()
      expect(abortAnswer(answer?.state, '')).toMatchObject({ message: '', state: { abort: '' } })
    }
  })

  it('leaves nobody who could prove what servers trust, so that they are named and the soak decides', () => {
    const seen = world({ ...material.TrustBoth, unproved: [someone('data/orders: 10.0.0.3:3306')] })
    expect(ownersWorld(seen, undefined, owned('Both', 'Other'))).toMatchObject({
      unproved: [],
      notProvable: [{ name: 'data/orders: 10.0.0.3:3306' }],
    })
    expect(ownersWorld(seen, undefined, owned('Switched', 'Signer')).unproved).toHaveLength(1)
  })
})
