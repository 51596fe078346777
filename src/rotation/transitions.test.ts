import { describe, expect, it } from 'vitest'
import type { Stage } from '../authority/stage.ts'
import { decide } from './decide.ts'
import { rules } from './phases.ts'
import { day, hour, material, rotating, someone, start, world } from './rotation.fixture.ts'
import type { Phase, RunningPhase, State, Step, World } from './state.ts'

const phases = Object.keys(rules.phases) as RunningPhase[]
const soaked = { soakStartedAt: start - day }
const rest: State = { phase: 'Idle', trigger: '', abort: '' }
const signer = world().signer

type Changes = Parameters<typeof world>[0]
const step = (phase: Phase, changes: Changes = {}, state: Partial<State> = {}): Step =>
  decide(rotating(phase, state), world({ ...material[phase], ...changes }))

describe('holdAt', () => {
  it.each(['TrustBoth', 'Signing', 'DropSoak'] as const)(
    '%s does not let the rotation past it, and says so',
    (holdAt) => {
      const held = step(holdAt, { wish: { holdAt } }, soaked)
      expect(held).toMatchObject({ act: 'Stay', state: { phase: holdAt } })
      expect(held.message).toContain(`Held at ${holdAt}; it goes on when spec.rotation.holdAt names it no more.`)
      for (const other of phases.filter((phase) => phase !== holdAt))
        expect(step(other, { wish: { holdAt } }, soaked).act).not.toBe('Stay')
    },
  )

  it('is told while the phase waits for others besides', () => {
    const held = step('TrustBoth', { wish: { holdAt: 'TrustBoth' }, behind: [someone()] })
    expect(held.message).toMatch(/^1 consumer does not .*Held at TrustBoth/)
  })

  it('lets an abort through', () =>
    expect(step('Signing', { wish: { holdAt: 'Signing', abort: '1' } }).act).toBe('SwitchBack'))
})

describe('an abort', () => {
  it.each<readonly [RunningPhase, Step['act'], Partial<State>]>([
    ['Prepared', 'Abandon', { phase: 'Idle', cause: 'Abort', finishedAt: start, abort: '1' }],
    ['TrustBoth', 'Abandon', { phase: 'Idle', cause: 'Abort', finishedAt: start, abort: '1' }],
    ['Signing', 'SwitchBack', { phase: 'Signing', cause: 'Abort', from: 'B', to: 'A', abort: '1' }],
    ['DropSoak', 'SwitchBack', { phase: 'Signing', cause: 'Abort', from: 'B', to: 'A', abort: '1' }],
    ['Dropped', 'Report', { phase: 'Dropped', cause: 'Trigger', abort: '1' }],
  ])('in %s: %s', (phase, act, state) => {
    const taken = step(phase, { wish: { abort: '1' } }, soaked)
    expect(taken).toMatchObject({ act, state })
    if (act !== 'Report') expect(taken.state.soakStartedAt).toBeUndefined()
    expect(taken.message).toMatch(act === 'Report' ? /^Too late/ : /^Taken back/)
  })

  it.each<readonly [string, Changes]>([
    ['once trust in the former CA is gone', { ...material.Dropped }],
    ['to a CA that has ended', { other: { fingerprint: 'A', usable: false } }],
    ['to a CA whose key is compromised', { wish: { abort: '1', compromised: true } }],
  ])('does not switch back %s, and the rotation goes on', (_, changes) => {
    const noted = step('Signing', { wish: { abort: '1' }, ...changes })
    expect(noted).toMatchObject({ act: 'Report', state: { phase: 'Signing', abort: '1', from: 'A', to: 'B' } })
    expect(noted.message).toMatch(/^Too late to take this rotation back: /)
  })

  it('of an abort goes forward again', () => {
    const back = { cause: 'Abort', abort: '1', from: 'B', to: 'A' } as const
    const seen = { signer, other: { fingerprint: 'B', usable: true }, wish: { abort: '2' } }
    expect(step('Signing', seen, back)).toMatchObject({ act: 'SwitchBack', state: { from: 'A', to: 'B', abort: '2' } })
  })

  it('that is emptied asks for nothing', () =>
    expect(step('TrustBoth', {}, { abort: '1' })).toMatchObject({
      act: 'Report',
      state: { phase: 'TrustBoth', abort: '' },
    }))

  it('at rest is noted, and does not take back the next one', () => {
    const noted = decide(rest, world({ wish: { abort: '1', trigger: '1' } }))
    expect(noted).toMatchObject({ act: 'Report', state: { phase: 'Idle', abort: '1', trigger: '' } })
    expect(decide(noted.state, world({ wish: { abort: '1', trigger: '1' } })).act).toBe('Prepare')
  })
})

describe('triggers', () => {
  it.each(phases)('a second one in %s waits for the end, and is told', (phase) => {
    const queued = step(phase, { wish: { trigger: '2' }, behind: [someone()], leaves: [someone()] }, { trigger: '1' })
    expect(queued.state.trigger).toBe('1')
    if (queued.act === 'Stay') expect(queued.message).toContain('Another rotation was asked for')
  })

  it('begins the second one after the first has ended', () => {
    const ended = step('Dropped', { wish: { trigger: '2' } }, { trigger: '1' })
    expect(ended).toMatchObject({ act: 'Finish', state: { phase: 'Idle', trigger: '1', finishedAt: start } })
    const again = decide(ended.state, world({ wish: { trigger: '2' } }))
    expect(again).toMatchObject({ act: 'Prepare', state: { trigger: '2' } })
    expect(again.state.finishedAt).toBeUndefined()
  })

  it('that are emptied ask for nothing', () =>
    expect(decide({ ...rest, trigger: '1' }, world())).toMatchObject({ act: 'Report', state: { trigger: '' } }))

  it('do not rotate a CA that is born with one', () => {
    const born = decide(undefined, world({ newborn: true, wish: { trigger: '1', abort: 'x' } }))
    expect(born).toMatchObject({ act: 'Report', state: { phase: 'Idle', trigger: '1', abort: 'x' } })
    expect(decide(born.state, world({ wish: { trigger: '1', abort: 'x' } })).act).toBe('Stay')
  })

  it('rotate a CA of an operator that knew no rotations', () =>
    expect(decide(undefined, world({ wish: { trigger: '1' } }))).toMatchObject({
      act: 'Prepare',
      state: { trigger: '1' },
    }))

  it.each(['1', '2'])(
    'do not rotate again a CA whose status was lost, where its Secret says what was done: %s',
    (handled) => {
      const looked = decide(undefined, world({ handled, wish: { trigger: '1', abort: 'x' } }))
      expect(looked.act === 'Prepare').toBe(handled === '2')
      expect(looked.state.trigger).toBe('1')
    },
  )

  it('that wait in mid-rotation are not forgotten with its status', () => {
    const found = decide(undefined, world({ ...material.TrustBoth, handled: '1', wish: { trigger: '2' } }))
    expect(found).toMatchObject({ act: 'Report', state: { phase: 'TrustBoth', trigger: '1' } })
  })

  it('leave such a CA alone where there is none', () =>
    expect(decide(undefined, world({ wish: { abort: 'x' } }))).toMatchObject({
      act: 'Report',
      state: { phase: 'Idle', trigger: '', abort: 'x' },
    }))

  it('wait where no new key can be made, with the reason', () => {
    const refused = decide(rest, world({ wish: { trigger: '1' }, cannotBegin: 'its owner brings the key along.' }))
    expect(refused).toMatchObject({ act: 'Stay', message: 'No rotation is begun: its owner brings the key along.' })
  })
})

describe('the same key', () => {
  const wish = { trigger: '1', onTrigger: 'ReuseKey' } as const

  it('notes the certificate to replace, renews it once, and only then the trigger', () => {
    const intent = decide(rest, world({ wish }))
    expect(intent).toMatchObject({ act: 'Report', state: { phase: 'Idle', mode: 'ReuseKey', from: 'A', trigger: '' } })
    const renewal = decide(intent.state, world({ wish }))
    expect(renewal).toMatchObject({ act: 'RenewSameKey', state: { phase: 'Idle', trigger: '1', finishedAt: start } })
    const lost = decide(intent.state, world({ wish, signer: { ...signer, fingerprint: "A'" } }))
    expect(lost).toMatchObject({ act: 'Report', state: { phase: 'Idle', trigger: '1', from: 'A', to: "A'" } })
    expect(decide(lost.state, world({ wish, signer: { ...signer, fingerprint: "A'" } }))).toMatchObject({ act: 'Stay' })
  })

  it('is given up when the trigger is taken back first', () => {
    const intent = decide({ ...rest, trigger: '0' }, world({ wish }))
    const given = decide(intent.state, world({ wish: { ...wish, trigger: '0' } }))
    expect(given).toMatchObject({ act: 'Report', state: { trigger: '0', finishedAt: start } })
  })

  it('is no answer to a compromised one', () =>
    expect(decide(rest, world({ wish: { ...wish, compromised: true } })).act).toBe('Prepare'))
})

describe('the end of a CA', () => {
  const near = { ...signer, notAfter: start + 30 * day, expiring: true }
  const over = { ...signer, notAfter: start - hour, expired: true, expiring: true }
  const wish = { onExpiry: 'NewKey' } as const

  it('begins a rotation with a new key, where that is asked for', () => {
    expect(decide(rest, world({ signer: near, wish }))).toMatchObject({
      act: 'Prepare',
      state: { cause: 'Expiry', trigger: '' },
    })
    expect(decide(rest, world({ signer: near })).act).toBe('Stay')
  })

  it('does not begin again what somebody took back, until the text is emptied or time is short', () => {
    const state: State = { ...rest, cause: 'Abort', abort: '1' }
    const kept = decide(state, world({ signer: near, wish: { ...wish, abort: '1' } }))
    expect(kept).toMatchObject({ act: 'Stay', wakeAt: start + 26 * day })
    expect(kept.message).toMatch(/was taken back.*at the latest at/)
    expect(decide(state, world({ signer: near, wish: { ...wish, abort: '1', trigger: '1' } })).act).toBe('Prepare')
    const late = world({ now: start + 26 * day, signer: near, wish: { ...wish, abort: '1' } })
    expect(decide(state, late).act).toBe('Prepare')
    const emptied = decide(state, world({ signer: near, wish }))
    expect(decide(emptied.state, world({ signer: near, wish })).act).toBe('Prepare')
  })

  it.each(['Prepared', 'TrustBoth'] as const)(
    'in %s: the next one signs at once, past gates, soak, hold and windows',
    (phase) => {
      const waits = { behind: [someone()], unproved: [someone()], reloads: [someone()] }
      const switched = step(phase, { signer: over, ...waits, wish: { holdAt: 'TrustBoth', open: false } })
      expect(switched).toMatchObject({ act: 'Switch', state: { phase: 'Signing', from: 'A', to: 'B' } })
      expect(switched).not.toHaveProperty('dropNow')
      expect(switched.message).toContain('without a time in which both are trusted')
    },
  )

  it('of the next one: nothing is published or switched, and it says what helps', () => {
    for (const phase of ['Prepared', 'TrustBoth'] as const)
      for (const present of [signer, over]) {
        const stuck = step(phase, { signer: present, other: { fingerprint: 'B', usable: false } }, soaked)
        expect(stuck.act).toBe('Stay')
        expect(stuck.message).toContain('abort this rotation')
      }
  })
})

describe('a compromised key', () => {
  it.each([
    ['TrustBoth', 'Switch'],
    ['DropSoak', 'Drop'],
  ] as const)('%s needs no soak where every server has proved its trust', (phase, act) => {
    const compromised = { compromised: true }
    expect(step(phase, { wish: compromised }).act).toBe(act)
    // Nobody was asked; somebody cannot be asked.
    expect(step(phase, { wish: compromised, proved: 0 })).toMatchObject({ act: 'Report', state: { phase } })
    expect(step(phase, { wish: compromised, notProvable: [someone()] })).toMatchObject({
      act: 'Report',
      state: { phase },
    })
    expect(step(phase, { wish: compromised, behind: [someone()] }).act).toBe('Stay')
  })

  const now = { compromised: true, dropNow: true }
  const waits = { behind: [someone()], unproved: [someone()], leaves: [someone()] }
  it.each([
    ['Prepared', 'Switch', 'Signing'],
    ['TrustBoth', 'Switch', 'Signing'],
    ['Signing', 'Drop', 'Signing'],
    ['DropSoak', 'Drop', 'Dropped'],
  ] as const)('that is dropped now, in %s: %s at once', (phase, act, next) => {
    const dropped = step(phase, { ...waits, wish: now })
    expect(dropped).toMatchObject({ act, state: { phase: next } })
    if (dropped.act === 'Switch') expect(dropped.dropNow).toBe(true)
  })

  it('that is dropped now still has every certificate replaced before the end', () => {
    const dropped = { ...material.Dropped, wish: now }
    expect(step('Signing', { ...dropped, leaves: [someone()] }).act).toBe('Stay')
    expect(step('Signing', dropped)).toMatchObject({ act: 'Report', state: { phase: 'Dropped' } })
  })

  it('is not what dropNow alone says', () => expect(step('Prepared', { wish: { dropNow: true } }).act).toBe('Publish'))
})

describe('maintenance windows', () => {
  const opensAt = start + 5 * hour
  const closed = { open: false, opensAt }

  it.each<readonly [Phase, boolean]>([
    ['Prepared', true],
    ['TrustBoth', true],
    ['Signing', false],
    ['DropSoak', true],
    ['Dropped', false],
  ])('%s is left only within one: %s', (phase, waits) => {
    const closedStep = step(phase, { wish: closed }, soaked)
    expect(closedStep.act === 'Stay').toBe(waits)
    if (waits) {
      expect(closedStep).toMatchObject({ wakeAt: opensAt })
      expect(closedStep.message).toContain('when a maintenance window opens')
    }
    expect(step(phase, { wish: { ...closed, compromised: true } }, soaked).act).not.toBe('Stay')
  })

  it('keep a rotation from beginning', () => {
    const wish = { ...closed, trigger: '1' }
    expect(decide(rest, world({ wish }))).toMatchObject({ act: 'Stay', wakeAt: opensAt, state: { trigger: '' } })
    expect(decide(rest, world({ wish: { ...wish, onTrigger: 'ReuseKey' } })).act).toBe('Stay')
  })

  it('do not postpone beyond the end of the CA', () => {
    const signing = { ...signer, notAfter: opensAt + hour }
    expect(step('TrustBoth', { wish: closed, signer: signing }, soaked).act).toBe('Stay')
    // The soak still has to fit.
    expect(step('Prepared', { wish: closed, signer: signing }).act).toBe('Publish')
    expect(step('TrustBoth', { wish: closed, signer: { ...signer, notAfter: opensAt } }, soaked).act).toBe('Switch')
  })

  it('that never open again are said to', () => {
    const never = step('Prepared', { wish: { open: false } })
    expect(never.message).toContain('None of the maintenance windows (spec.rotation.windows) opens again')
    expect(step('Prepared', { wish: { open: false }, signer: { ...signer, expiring: true } }).act).toBe('Publish')
  })
})

describe('an intermediate under the same root', () => {
  it.each(['TrustBoth', 'DropSoak'] as const)('%s needs no soak: nobody has to trust anything new', (phase) => {
    expect(step(phase, { changesTrust: false }).act).not.toBe('Report')
    expect(step(phase, { changesTrust: false, behind: [someone()] }).act).toBe('Stay')
  })
})

describe('a CA whose owner brought another key', () => {
  it('is staged the same way, and a trigger waits for it', () => {
    const begun = decide(rest, world({ wish: { replaced: true, trigger: '1' } }))
    expect(begun).toMatchObject({ act: 'Prepare', state: { cause: 'Replaced', trigger: '' } })
  })
})

describe('a status that a crash left behind its Secret', () => {
  const B = { other: { fingerprint: 'B', usable: true } }
  const switched = { signer: { ...signer, fingerprint: 'B' }, other: { fingerprint: 'A', usable: true } }
  it.each<readonly [Phase, Stage, Partial<World>, Phase]>([
    ['Idle', 'Next', B, 'Prepared'],
    ['Prepared', 'Both', B, 'TrustBoth'],
    ['Prepared', 'Switched', switched, 'Signing'],
    ['Prepared', 'Dropped', switched, 'Signing'],
    ['Prepared', 'Plain', {}, 'Idle'],
    ['TrustBoth', 'Switched', switched, 'Signing'],
    ['TrustBoth', 'Dropped', switched, 'Signing'],
    ['TrustBoth', 'Plain', {}, 'Idle'],
    ['DropSoak', 'Dropped', switched, 'Dropped'],
    ['Dropped', 'Plain', { signer: switched.signer }, 'Idle'],
  ])('%s with a Secret at %s is mended', (phase, stage, changes, next) => {
    const { wish: _wish, ...seen } = changes
    const mended = decide(rotating(phase, soaked), world({ ...seen, stage, wish: { trigger: '9' } }))
    expect(mended).toMatchObject({ act: 'Report', state: { phase: next } })
    expect(mended.state.soakStartedAt).toBeUndefined()
    if (next !== 'Idle') expect(mended.state).toMatchObject({ from: 'A', to: 'B' })
    expect(mended.state.trigger).toBe(phase === 'Idle' ? '9' : '')
  })

  it.each(['Signing', 'DropSoak'] as const)(
    '%s with a Secret that was switched back is mended, also after a renewal',
    (phase) => {
      for (const fingerprint of ['A', "A'"]) {
        const seen = {
          stage: 'Switched',
          signer: { ...signer, fingerprint },
          other: { fingerprint: 'B', usable: true },
        } as const
        const mended = decide(rotating(phase, soaked), world({ ...seen, wish: { abort: '1' } }))
        expect(mended).toMatchObject({
          act: 'Report',
          state: { phase: 'Signing', cause: 'Abort', abort: '1', from: 'B', to: fingerprint },
        })
      }
    },
  )

  it('that took back a rotation does not begin it again', () => {
    const mended = decide(rotating('TrustBoth', { trigger: '1' }), world({ wish: { trigger: '1', abort: '1' } }))
    expect(mended.state).toMatchObject({ phase: 'Idle', cause: 'Abort', abort: '1', trigger: '1' })
    expect(decide(mended.state, world({ wish: { trigger: '1', abort: '1' } })).act).toBe('Stay')
  })

  it.each<readonly [Stage, Phase]>([
    ['Next', 'Prepared'],
    ['Both', 'TrustBoth'],
    ['Switched', 'Signing'],
    ['Dropped', 'Signing'],
  ])('that is gone altogether is rebuilt from a Secret at %s: %s', (stage, phase) => {
    const rebuilt = decide(undefined, world({ ...(stage === 'Switched' || stage === 'Dropped' ? switched : B), stage }))
    expect(rebuilt).toMatchObject({ act: 'Report', state: { phase, from: 'A', to: 'B' } })
  })

  const fitting: Readonly<Record<Phase, readonly Stage[]>> = {
    Idle: ['Plain', 'Next'],
    Prepared: ['Plain', 'Next', 'Both', 'Switched', 'Dropped'],
    TrustBoth: ['Plain', 'Both', 'Switched', 'Dropped'],
    Signing: ['Switched', 'Dropped'],
    DropSoak: ['Switched', 'Dropped'],
    Dropped: ['Plain', 'Dropped'],
  }
  const stages: readonly Stage[] = ['Plain', 'Next', 'Both', 'Switched', 'Dropped']
  const strange = Object.entries(fitting).flatMap(([phase, fit]) =>
    stages.filter((stage) => !fit.includes(stage)).map((stage) => [phase as Phase, stage] as const),
  )
  it.each(strange)('%s with a Secret at %s, which no crash leaves, is left to a person', (phase, stage) => {
    const seen = stage === 'Switched' || stage === 'Dropped' ? switched : stage === 'Plain' ? {} : B
    const state = rotating(phase)
    const left = decide(state, world({ ...seen, stage, wish: { trigger: '1', abort: '1' } }))
    expect(left).toMatchObject({ act: 'Stay', state })
    expect(left.message).toContain('Restore the newer Secret, or remove status.rotation')
  })
})

describe('a clock that jumps', () => {
  it.each([hour, 10 * 365 * day])('back by %d ms begins a soak anew, and it ends', (jump) => {
    const seen = { ...material.TrustBoth, now: start - jump }
    const again = decide(rotating('TrustBoth', { soakStartedAt: start }), world(seen))
    expect(again).toMatchObject({ act: 'Report', state: { soakStartedAt: start - jump } })
    expect(decide(again.state, world({ ...seen, now: start - jump + day })).act).toBe('Switch')
  })

  it.each(phases.filter((phase) => phase !== 'Prepared'))('ahead by ten years opens no gate of %s', (phase) => {
    const { gates } = rules.phases[phase]
    const shut = { behind: [someone()] }
    expect(gates).toContain('delivered')
    expect(step(phase, { ...shut, now: start + 3650 * day }, soaked)).toMatchObject({ state: { phase } })
  })
})

describe('a certificate of the former CA that comes back', () => {
  it('in DropSoak has the whole soak again when it is replaced', () => {
    const back = step('DropSoak', { leaves: [someone()] }, soaked)
    expect(back).toMatchObject({ act: 'Report', state: { phase: 'DropSoak' } })
    expect(back.state.soakStartedAt).toBeUndefined()
    expect(decide(back.state, world({ ...material.DropSoak, leaves: [someone()] })).act).toBe('Stay')
    const gone = decide(back.state, world({ ...material.DropSoak, now: start + hour }))
    expect(gone).toMatchObject({ act: 'Report', state: { soakStartedAt: start + hour } })
  })
})
