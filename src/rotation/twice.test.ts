import { expect, it } from 'vitest'
import { decide } from './decide.ts'
import type { State, World } from './state.ts'

it('an abort that is taken back is no abort any more: the certificates of the first CA are the former ones again', () => {
  const seen = (signer: string, other: string, abort: string): World =>
    ({
      ...{ now: 1, stage: 'Switched', changesTrust: true, leaves: [], newborn: false },
      wish: { trigger: '1', abort, holdAt: '', compromised: false, dropNow: false, open: true },
      signer: { fingerprint: signer, notAfter: 1e9, expired: false, expiring: false },
      other: { fingerprint: other, usable: true },
    }) as unknown as World
  const begun: State = { phase: 'Signing', cause: 'Trigger', trigger: '1', abort: '', from: 'A', to: 'B' }
  const once = decide(begun, seen('B', 'A', 'no'))
  expect(once).toMatchObject({ act: 'SwitchBack', state: { cause: 'Abort', from: 'B', to: 'A' } })
  const twice = decide(once.state, seen('A', 'B', 'yes'))
  expect(twice).toMatchObject({ act: 'SwitchBack', state: { cause: 'Trigger', from: 'A', to: 'B' } })
  // A crash between the Secret and the status of it.
  expect(decide(once.state, seen('B', 'A', 'yes')).state).toMatchObject({ cause: 'Trigger', from: 'A', to: 'B' })
})
